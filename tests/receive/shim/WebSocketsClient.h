// Links2004/arduinoWebSockets: its client.
#pragma once

#include <functional>

#include "Arduino.h"

enum WStype_t { WStype_ERROR, WStype_DISCONNECTED, WStype_CONNECTED, WStype_TEXT, WStype_BIN };

class WebSocketsClient {
 public:
  using Event = std::function<void(WStype_t, uint8_t *, size_t)>;

  WebSocketsClient() { only() = this; }

  void begin(const char *host, uint16_t port, const char *path, const char *protocol = "arduino") {
    board_says("begin %s %u %s %s", host, port, path, protocol);
  }
  void setAuthorization(const char *value) { board_says("authorization %s", value); }
  void setReconnectInterval(unsigned long) {}
  void enableHeartbeat(uint32_t, uint32_t, uint8_t) {}
  void onEvent(Event event) { event_ = event; }
  void loop() {}

  bool sendTXT(const char *text) {
    board_says("text %s", text);
    return board_sends;
  }
  bool sendBIN(const uint8_t *bytes, size_t length) {
    board_says("binary %zu %02x%02x..%02x%02x", length, bytes[0], bytes[1], bytes[length - 2],
               bytes[length - 1]);
    return board_sends;
  }
  void disconnect() {
    board_says("disconnect");
    happens(WStype_DISCONNECTED, "");
  }

  // The script's side.
  void happens(WStype_t what, const char *text) {
    std::string copy(text);
    event_(what, reinterpret_cast<uint8_t *>(copy.data()), copy.size());
  }
  static WebSocketsClient *&only() {
    static WebSocketsClient *client = nullptr;
    return client;
  }

 private:
  Event event_;
};
