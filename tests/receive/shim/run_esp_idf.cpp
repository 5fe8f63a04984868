// Runs the snippet for ESP-IDF as the script says. Its task is the program's only thread: whenever
// it waits, the script goes on (`connected`, `disconnected`, `text ...`) until it has its turn: by
// a notification, or for the waits of `loop N`.
#include <cstdlib>
#include <cstring>

#include "board.h"
#include "esp_websocket_client.h"
#include "freertos/task.h"

extern "C" {
#include "eyelid_push.h"
}

static void (*task)(void *);
static esp_event_handler_t handler;
static bool notified = false;
static int turns = 0;

static void happens(int32_t event, uint8_t opcode, const char *text) {
  esp_websocket_event_data_t data = {text, static_cast<int>(strlen(text)), opcode};
  handler(nullptr, "websocket", event, &data);
}

static void read_script() {
  const char *line = board_next_line();
  const char *rest = "";
  if (board_is(line, "loop", &rest)) {
    turns = atoi(rest);
  } else if (board_is(line, "text", &rest)) {
    happens(WEBSOCKET_EVENT_DATA, 1, rest);
  } else if (board_is(line, "connected", &rest)) {
    happens(WEBSOCKET_EVENT_CONNECTED, 0, "");
  } else if (board_is(line, "disconnected", &rest)) {
    happens(WEBSOCKET_EVENT_DISCONNECTED, 0, "");
  } else {
    board_says("no such line");
    exit(1);
  }
}

BaseType_t xTaskCreate(void (*given)(void *), const char *, uint32_t, void *, unsigned,
                       TaskHandle_t *) {
  task = given;
  return pdPASS;
}

void xTaskNotifyGive(TaskHandle_t) { notified = true; }

uint32_t ulTaskNotifyTake(BaseType_t, TickType_t) {
  turns = 0;  // it sleeps through them
  while (!notified) {
    read_script();
    turns = 0;
  }
  notified = false;
  return 1;
}

void vTaskDelay(TickType_t ticks) {
  board_waits(ticks);
  while (turns == 0) {
    read_script();
  }
  turns--;
}

esp_websocket_client_handle_t esp_websocket_client_init(
    const esp_websocket_client_config_t *config) {
  board_says("begin %s %s", config->uri, config->subprotocol);
  board_says("headers %.*s", config->headers ? static_cast<int>(strcspn(config->headers, "\r")) : 0,
             config->headers ? config->headers : "");
  static char nothing;
  return reinterpret_cast<esp_websocket_client_handle_t>(&nothing);
}

esp_err_t esp_websocket_register_events(esp_websocket_client_handle_t, esp_websocket_event_id_t,
                                        esp_event_handler_t given, void *) {
  handler = given;
  return ESP_OK;
}

esp_err_t esp_websocket_client_start(esp_websocket_client_handle_t) { return ESP_OK; }

int esp_websocket_client_send_text(esp_websocket_client_handle_t, const char *data, int length,
                                   TickType_t) {
  board_says("text %.*s", length, data);
  return length;
}

int esp_websocket_client_send_bin(esp_websocket_client_handle_t, const char *data, int length,
                                  TickType_t) {
  const auto *bytes = reinterpret_cast<const uint8_t *>(data);
  board_says("binary %d %02x%02x..%02x%02x", length, bytes[0], bytes[1], bytes[length - 2],
             bytes[length - 1]);
  return length;
}

int main() {
  if (eyelid_push_start("ws://192.168.1.10:8765/door", "secret") != ESP_OK) {
    return 1;
  }
  task(nullptr);
}
