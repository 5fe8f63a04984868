// Espressif's HTTPClient: the script has the answers, "answer 200 {...}" for each POST.
#pragma once

#include "Arduino.h"

class HTTPClient {
 public:
  void begin(const String &url) { board_says("url %s", url.c_str()); }
  void addHeader(const char *name, const char *value) { board_says("header %s: %s", name, value); }
  int POST(uint8_t *bytes, size_t length) {
    board_says("post %zu %02x%02x..%02x%02x", length, bytes[0], bytes[1], bytes[length - 2],
               bytes[length - 1]);
    const char *rest = "";
    if (!board_is(board_next_line(), "answer", &rest)) {
      return -1;
    }
    char *body = nullptr;
    const int status = static_cast<int>(strtol(rest, &body, 10));
    body_ = *body == ' ' ? body + 1 : "";
    return status;
  }
  String getString() { return String(body_.c_str()); }
  void end() {}

 private:
  std::string body_;
};
