// A time-lapse for Eyelid: a picture each minute by HTTP POST, and deep sleep between them. While
// somebody looks it stays up and sends one every other second.
//
// Needs the ESP32 boards by Espressif and nothing else. settings.h is what you change;
// docs/esp32.md leads through it, and has what the server is to be told.

#include "settings.h"

#include <HTTPClient.h>
#include <WiFi.h>
#include <esp_sleep.h>

#include "board.h"

static void sleep_deeply() {
  esp_sleep_enable_timer_wakeup(EVERY_S * 1000000ULL);
  esp_deep_sleep_start();  // what comes next is setup()
}

// Sends a picture; says whether somebody looks.
static bool post_picture(const Picture &picture) {
  HTTPClient http;
  http.begin(String("http://") + EYELID_HOST + ":" + EYELID_PORT + "/" + CAMERA_NAME);
  http.addHeader("Content-Type", "image/jpeg");
  if (strlen(CAMERA_TOKEN) > 0) {
    http.addHeader("Authorization", "Bearer " CAMERA_TOKEN);
  }
  const int status = http.POST(picture.bytes, picture.length);
  const String answer = status > 0 ? http.getString() : String();
  http.end();
  Serial.printf("%d %s\n", status, answer.c_str());
  return status == 200 && answer.indexOf("\"awake\":true") >= 0;
}

void setup() {
  Serial.begin(115200);
  WiFi.mode(WIFI_STA);
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  WiFi.setSleep(false);
  if (!begin_camera(BOARD_JPEG ? FRAMESIZE_SVGA : FRAMESIZE_VGA)) {
    sleep_deeply();
  }
  // The sensor finds its exposure while the network is looked for.
  while (WiFi.status() != WL_CONNECTED) {
    drop_picture(take_picture());
    delay(100);
    if (millis() > 20000) {
      sleep_deeply();
    }
  }
}

void loop() {
  const Picture picture = take_picture();
  const bool awake = picture.bytes != nullptr && post_picture(picture);
  drop_picture(picture);
  if (!awake) {
    sleep_deeply();
  }
  delay(EVERY_S_AWAKE * 1000);
}
