// ESP-IDF: deep sleep, from which a board wakes as from a reset.
#pragma once

#include "Arduino.h"

inline void esp_sleep_enable_timer_wakeup(uint64_t us) {
  board_says("timer %llu s", static_cast<unsigned long long>(us / 1000000));
}

[[noreturn]] inline void esp_deep_sleep_start() {
  board_says("deep sleep");
  exit(0);
}
