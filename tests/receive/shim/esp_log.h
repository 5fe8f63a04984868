/* ESP-IDF: the log. */
#pragma once

#include "board.h"

#define ESP_LOGI(tag, format, ...) board_says("%s: " format, tag, __VA_ARGS__)
