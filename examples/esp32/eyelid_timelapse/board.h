// The camera of each board, and how it is started. Both sketches have the same file.
#pragma once

#include <Arduino.h>
#include <esp_camera.h>

#if defined(BOARD_AI_THINKER)
// AI-Thinker ESP32-CAM: OV2640, 4 MB of PSRAM. In the IDE: "AI Thinker ESP32-CAM".
#define BOARD_JPEG 1
#define PIN_POWER -1
#define PIN_PWDN 32
#define PIN_RESET -1
#define PIN_XCLK 0
#define PIN_SDA 26
#define PIN_SCL 27
#define PIN_VSYNC 25
#define PIN_HREF 23
#define PIN_PCLK 22
#define PINS_DATA {5, 18, 19, 21, 36, 39, 34, 35}

#elif defined(BOARD_ATOMS3R_CAM)
// M5Stack AtomS3R-CAM: GC0308, 8 MB of PSRAM. In the IDE: "M5AtomS3R", or "ESP32S3 Dev Module" with
// PSRAM "OPI PSRAM". Its sensor makes no JPEG: the processor does, a few frames a second of them.
#define BOARD_JPEG 0
#define PIN_POWER 18
#define PIN_PWDN -1
#define PIN_RESET -1
#define PIN_XCLK 21
#define PIN_SDA 12
#define PIN_SCL 9
#define PIN_VSYNC 10
#define PIN_HREF 14
#define PIN_PCLK 40
#define PINS_DATA {3, 42, 46, 48, 4, 17, 11, 13}

#elif defined(BOARD_M5STACK_A)
// M5Stack M5Camera, model A (OV2640), and Timer Camera (OV3660), with PSRAM. In the IDE: "ESP32
// Wrover Module".
#define BOARD_JPEG 1
#define PIN_POWER -1
#define PIN_PWDN -1
#define PIN_RESET 15
#define PIN_XCLK 27
#define PIN_SDA 25
#define PIN_SCL 23
#define PIN_VSYNC 22
#define PIN_HREF 26
#define PIN_PCLK 21
#define PINS_DATA {32, 35, 34, 5, 39, 18, 36, 19}

#elif defined(BOARD_M5STACK_B)
// M5Stack M5Camera, model B: two pins are elsewhere.
#define BOARD_JPEG 1
#define PIN_POWER -1
#define PIN_PWDN -1
#define PIN_RESET 15
#define PIN_XCLK 27
#define PIN_SDA 22
#define PIN_SCL 23
#define PIN_VSYNC 25
#define PIN_HREF 26
#define PIN_PCLK 21
#define PINS_DATA {32, 35, 34, 5, 39, 18, 36, 19}

#else
#error "settings.h names no board"
#endif

// Starts the camera, with pictures of this size; says whether it did.
static bool begin_camera(framesize_t size) {
  if (PIN_POWER >= 0) {
    pinMode(PIN_POWER, OUTPUT);
    digitalWrite(PIN_POWER, LOW);  // on
    delay(100);
  }
  const int data[8] = PINS_DATA;
  camera_config_t config = {};
  config.pin_pwdn = PIN_PWDN;
  config.pin_reset = PIN_RESET;
  config.pin_xclk = PIN_XCLK;
  config.pin_sccb_sda = PIN_SDA;
  config.pin_sccb_scl = PIN_SCL;
  config.pin_d0 = data[0];
  config.pin_d1 = data[1];
  config.pin_d2 = data[2];
  config.pin_d3 = data[3];
  config.pin_d4 = data[4];
  config.pin_d5 = data[5];
  config.pin_d6 = data[6];
  config.pin_d7 = data[7];
  config.pin_vsync = PIN_VSYNC;
  config.pin_href = PIN_HREF;
  config.pin_pclk = PIN_PCLK;
  config.xclk_freq_hz = 20000000;
  config.ledc_timer = LEDC_TIMER_0;
  config.ledc_channel = LEDC_CHANNEL_0;
  config.pixel_format = BOARD_JPEG ? PIXFORMAT_JPEG : PIXFORMAT_RGB565;
  config.frame_size = size;
  config.jpeg_quality = 12;  // 0 to 63, fewer is better; below 10 a large frame may not fit
  config.fb_location = CAMERA_FB_IN_PSRAM;
  // The driver's own default is to fill its buffers and wait until they are fetched: each picture
  // is then as old as fb_count of them, and the first one after a pause is from before the pause.
  // No server can mend that. With these two the driver goes on, and gives the newest.
  config.fb_count = 2;
  config.grab_mode = CAMERA_GRAB_LATEST;
  if (!psramFound()) {
    Serial.println("no PSRAM: choose it in the IDE's menu Tools, if the board has some");
    config.fb_location = CAMERA_FB_IN_DRAM;
    config.fb_count = 1;
    config.frame_size = FRAMESIZE_QVGA;
  }
  const esp_err_t error = esp_camera_init(&config);
  if (error != ESP_OK) {
    Serial.printf("the camera does not start: error 0x%x\n", (unsigned)error);
  }
  return error == ESP_OK;
}

// A JPEG, and what it lies in.
struct Picture {
  camera_fb_t *frame;
  uint8_t *bytes;
  size_t length;
};

// Takes the newest picture; `bytes` is null if there is none.
static Picture take_picture() {
  Picture picture = {esp_camera_fb_get(), nullptr, 0};
  if (picture.frame == nullptr) {
    return picture;
  }
  if (picture.frame->format == PIXFORMAT_JPEG) {
    picture.bytes = picture.frame->buf;
    picture.length = picture.frame->len;
  } else if (!frame2jpg(picture.frame, 80, &picture.bytes, &picture.length)) {
    picture.bytes = nullptr;
  }
  return picture;
}

// Gives its memory back.
static void drop_picture(const Picture &picture) {
  if (picture.frame == nullptr) {
    return;
  }
  if (picture.bytes != picture.frame->buf) {
    free(picture.bytes);
  }
  esp_camera_fb_return(picture.frame);
}
