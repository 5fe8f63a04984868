// The board that all sketches share: script, time, camera.
#include "board.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "esp_camera.h"

bool board_sends = true;

static uint32_t now_ms = 1000;
static std::string line;

void board_says(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
  fflush(stdout);
}

void board_waits(uint32_t ms) { now_ms += ms; }

uint32_t board_ms() { return now_ms; }

const char *board_next_line() {
  for (;;) {
    if (!std::getline(std::cin, line)) {
      exit(0);
    }
    board_says("> %s", line.c_str());
    if (line == "fail" || line == "mend") {
      board_sends = line == "mend";
      continue;
    }
    return line.c_str();
  }
}

bool board_is(const char *said, const char *word, const char **rest) {
  const size_t length = strlen(word);
  if (strncmp(said, word, length) != 0 || (said[length] != ' ' && said[length] != '\0')) {
    return false;
  }
  *rest = said[length] == ' ' ? said + length + 1 : "";
  return true;
}

// The camera: a JPEG of 2000 bytes each time, or pixels where JPEG was not asked for.

static bool raw = false;
static unsigned lent = 0;

esp_err_t esp_camera_init(const camera_config_t *config) {
  raw = config->pixel_format != PIXFORMAT_JPEG;
  board_says("camera %s size %d buffers %zu grab %s in %s", raw ? "raw" : "jpeg",
             config->frame_size, config->fb_count,
             config->grab_mode == CAMERA_GRAB_LATEST ? "latest" : "when-empty",
             config->fb_location == CAMERA_FB_IN_PSRAM ? "psram" : "dram");
  const int pins[] = {config->pin_d0,    config->pin_d1,   config->pin_d2,    config->pin_d3,
                      config->pin_d4,    config->pin_d5,   config->pin_d6,    config->pin_d7,
                      config->pin_xclk,  config->pin_pclk, config->pin_vsync, config->pin_href,
                      config->pin_sccb_sda, config->pin_sccb_scl};
  uint64_t seen = 0;
  for (const int pin : pins) {
    if (pin < 0 || pin > 48 || (seen >> pin & 1) != 0) {
      board_says("pin %d cannot be", pin);
      return ESP_FAIL;
    }
    seen |= uint64_t{1} << pin;
  }
  return ESP_OK;
}

camera_fb_t *esp_camera_fb_get() {
  static uint8_t bytes[2000];
  static camera_fb_t frame;
  if (lent++ != 0) {
    board_says("a picture was not given back");
  }
  memset(bytes, 0x55, sizeof bytes);
  if (!raw) {
    bytes[0] = bytes[1998] = 0xFF;
    bytes[1] = 0xD8;
    bytes[1999] = 0xD9;
  }
  frame.buf = bytes;
  frame.len = sizeof bytes;
  frame.format = raw ? PIXFORMAT_RGB565 : PIXFORMAT_JPEG;
  frame.timestamp.tv_sec = now_ms / 1000;
  frame.timestamp.tv_usec = now_ms % 1000 * 1000;
  return &frame;
}

void esp_camera_fb_return(camera_fb_t *) { lent--; }

bool frame2jpg(camera_fb_t *, uint8_t, uint8_t **out, size_t *length) {
  static const uint8_t small[] = {0xFF, 0xD8, 0x55, 0xFF, 0xD9};
  *out = static_cast<uint8_t *>(malloc(sizeof small));
  *length = sizeof small;
  memcpy(*out, small, sizeof small);
  return true;
}
