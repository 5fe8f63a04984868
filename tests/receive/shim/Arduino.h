// Arduino's core, as far as the sketches use it.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "board.h"
#include "esp_err.h"

#define OUTPUT 1
#define LOW 0
#define HIGH 1

class String {
 public:
  String(const char *text = "") : text_(text) {}
  explicit String(int number) : text_(std::to_string(number)) {}
  const char *c_str() const { return text_.c_str(); }
  int indexOf(const char *part) const {
    const auto at = text_.find(part);
    return at == std::string::npos ? -1 : static_cast<int>(at);
  }
  String operator+(const char *more) const { return String((text_ + more).c_str()); }
  String operator+(int more) const { return *this + String(more).c_str(); }

 private:
  std::string text_;
};

struct SerialPort {
  void begin(unsigned long) {}
  void println(const char *text) { board_says("serial: %s", text); }
  void printf(const char *format, ...) __attribute__((format(printf, 2, 3))) {
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    text[strcspn(text, "\n")] = '\0';
    board_says("serial: %s", text);
  }
};

struct Processor {
  [[noreturn]] void restart() {
    board_says("restart");
    exit(0);
  }
};

inline SerialPort Serial;
inline Processor ESP;

inline void pinMode(int, int) {}
inline void digitalWrite(int pin, int level) { board_says("pin %d is %d", pin, level); }
inline void delay(uint32_t ms) { board_waits(ms); }
inline uint32_t millis() { return board_ms(); }
inline bool psramFound() { return true; }

// What a sketch is.
void setup();
void loop();
