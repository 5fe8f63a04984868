// Runs a sketch as the script says: `connected`, `disconnected`, `text ...` are what the server
// does; `loop N` is the sketch's turn.
#include "Arduino.h"
#include "WebSocketsClient.h"

int main() {
  setup();
  if (WebSocketsClient::only() == nullptr) {  // one that posts: its own calls read the script
    for (;;) {
      loop();
    }
  }
  for (;;) {
    const char *line = board_next_line();
    const char *rest = "";
    if (board_is(line, "loop", &rest)) {
      for (int left = atoi(rest); left > 0; left--) {
        board_waits(100);
        loop();
      }
    } else if (board_is(line, "text", &rest)) {
      WebSocketsClient::only()->happens(WStype_TEXT, rest);
    } else if (board_is(line, "connected", &rest)) {
      WebSocketsClient::only()->happens(WStype_CONNECTED, rest);
    } else if (board_is(line, "disconnected", &rest)) {
      WebSocketsClient::only()->happens(WStype_DISCONNECTED, rest);
    } else {
      board_says("no such line");
      return 1;
    }
  }
}
