/* espressif/esp_websocket_client. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"
#include "esp_event.h"
#include "freertos/FreeRTOS.h"

typedef struct esp_websocket_client *esp_websocket_client_handle_t;

typedef enum {
    WEBSOCKET_EVENT_ANY = -1,
    WEBSOCKET_EVENT_CONNECTED = 1,
    WEBSOCKET_EVENT_DISCONNECTED,
    WEBSOCKET_EVENT_DATA,
    WEBSOCKET_EVENT_CLOSED,
} esp_websocket_event_id_t;

typedef struct {
    const char *data_ptr;
    int data_len;
    uint8_t op_code;
} esp_websocket_event_data_t;

typedef struct {
    const char *uri, *subprotocol, *headers;
    int buffer_size, reconnect_timeout_ms;
    bool enable_close_reconnect;
} esp_websocket_client_config_t;

#ifdef __cplusplus
extern "C" {
#endif

esp_websocket_client_handle_t esp_websocket_client_init(
    const esp_websocket_client_config_t *config);
esp_err_t esp_websocket_register_events(esp_websocket_client_handle_t client,
                                        esp_websocket_event_id_t event,
                                        esp_event_handler_t handler, void *argument);
esp_err_t esp_websocket_client_start(esp_websocket_client_handle_t client);
int esp_websocket_client_send_text(esp_websocket_client_handle_t client, const char *data,
                                   int length, TickType_t timeout);
int esp_websocket_client_send_bin(esp_websocket_client_handle_t client, const char *data,
                                  int length, TickType_t timeout);

#ifdef __cplusplus
}
#endif
