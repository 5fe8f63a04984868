// A camera for Eyelid: it sends pictures while somebody looks, and none while nobody does.
//
// Needs the library "WebSockets" by Markus Sattler (in the IDE: Tools, Manage Libraries) and the
// ESP32 boards by Espressif. settings.h is what you change; docs/esp32.md leads through it.

#include "settings.h"

#include <WebSocketsClient.h>
#include <WiFi.h>

#include "board.h"

static WebSocketsClient server;
static bool awake = false;  // somebody looks
static uint32_t taken_ms = 0;

static void on_event(WStype_t type, uint8_t *payload, size_t length) {
  switch (type) {
    case WStype_CONNECTED:
      Serial.println("connected");
      break;  // the server says next how it is
    case WStype_DISCONNECTED:
      awake = false;
      break;
    case WStype_TEXT:
      // {"eyelid":"wake"} or {"eyelid":"sleep"}. The library puts a zero behind the text.
      awake = length > 0 && strstr((const char *)payload, "\"wake\"") != nullptr;
      Serial.println(awake ? "awake" : "asleep");
      break;
    default:
      break;
  }
}

void setup() {
  Serial.begin(115200);
  if (!begin_camera(BOARD_JPEG ? FRAMESIZE_VGA : FRAMESIZE_QVGA)) {
    delay(5000);
    ESP.restart();
  }

  WiFi.mode(WIFI_STA);
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  // Without this the radio sleeps between the access point's beacons, and pictures wait for it.
  WiFi.setSleep(false);
  while (WiFi.status() != WL_CONNECTED) {
    delay(250);
    if (millis() > 30000) {
      ESP.restart();
    }
  }

  // The last argument is what has Eyelid say when to sleep.
  server.begin(EYELID_HOST, EYELID_PORT, "/" CAMERA_NAME, "eyelid.v1");
  if (strlen(CAMERA_TOKEN) > 0) {
    server.setAuthorization("Bearer " CAMERA_TOKEN);
  }
  server.onEvent(on_event);
  server.setReconnectInterval(2000);
  // Asleep, nothing is sent: a ping each 15 s notices a server that has gone.
  server.enableHeartbeat(15000, 3000, 2);
}

void loop() {
  server.loop();
  if (!awake || millis() - taken_ms < 1000 / FRAMES_PER_SECOND) {
    delay(1);
    return;
  }
  taken_ms = millis();
  const Picture picture = take_picture();
  if (picture.bytes != nullptr) {
    // When it was taken, on this board's clock: so the server knows how old it is.
    char taken[40];
    const struct timeval &at = picture.frame->timestamp;
    snprintf(taken, sizeof taken, "{\"t\":%lu}",
             (unsigned long)at.tv_sec * 1000 + (unsigned long)at.tv_usec / 1000);
    const bool sent = server.sendTXT(taken) && server.sendBIN(picture.bytes, picture.length);
    if (!sent) {
      // The library has given up in the middle of a frame after 5 s. What it writes next would be
      // taken for the rest of that frame: begin again.
      server.disconnect();
    }
  }
  drop_picture(picture);
}
