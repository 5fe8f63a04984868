// Espressif's WiFi library.
#pragma once

#include "Arduino.h"

#define WIFI_STA 1
#define WL_CONNECTED 3

struct Station {
  void mode(int) {}
  void begin(const char *, const char *) { asked_ = 0; }
  void setSleep(bool sleeps) { board_says("wifi sleep %d", sleeps); }
  int status() { return ++asked_ > 3 ? WL_CONNECTED : 0; }

 private:
  int asked_ = 0;
};

inline Station WiFi;
