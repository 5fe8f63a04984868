#pragma once

#include "esp_err.h"

/* Starts to push: `uri` is ws://HOST:8765/NAME, and `token` what `eyelid-receive --new-token NAME`
 * said, or NULL. The URI has to stay where it is. */
esp_err_t eyelid_push_start(const char *uri, const char *token);
