/* A camera for Eyelid, for firmware made with ESP-IDF: it sends pictures while somebody looks, and
 * none while nobody does.
 *
 *     idf.py add-dependency "espressif/esp_websocket_client"
 *     idf.py add-dependency "espressif/esp32-camera"
 *
 * Call eyelid_push_start() once, when the network and the camera are up: the camera with
 * `fb_count = 2` and `grab_mode = CAMERA_GRAB_LATEST`, for with the driver's default each picture
 * is as old as fb_count of them. esp_wifi_set_ps(WIFI_PS_NONE) keeps the radio from sleeping
 * between beacons. */
#include "eyelid_push.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esp_camera.h"
#include "esp_event.h"
#include "esp_log.h"
#include "esp_websocket_client.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

#define FRAMES_PER_SECOND 15
#define WEBSOCKET_TEXT 1 /* RFC 6455, 5.2 */

static const char *TAG = "eyelid";
static esp_websocket_client_handle_t client;
static TaskHandle_t pusher;
static atomic_bool awake; /* somebody looks */

static void on_event(void *unused, esp_event_base_t base, int32_t event, void *data)
{
    (void)unused;
    (void)base;
    if (event == WEBSOCKET_EVENT_DISCONNECTED || event == WEBSOCKET_EVENT_CLOSED) {
        awake = false;
    } else if (event == WEBSOCKET_EVENT_DATA) {
        const esp_websocket_event_data_t *got = data;
        if (got->op_code == WEBSOCKET_TEXT) {
            /* {"eyelid":"wake"} or {"eyelid":"sleep"} */
            char text[64];
            snprintf(text, sizeof text, "%.*s", got->data_len, got->data_ptr);
            awake = strstr(text, "\"wake\"") != NULL;
            ESP_LOGI(TAG, "%s", awake ? "awake" : "asleep");
            xTaskNotifyGive(pusher);
        }
    }
}

static void push_picture(void)
{
    camera_fb_t *frame = esp_camera_fb_get();
    if (frame == NULL) {
        return;
    }
    uint8_t *jpeg = frame->buf;
    size_t length = frame->len;
    /* A GC0308, as in the AtomS3R-CAM, makes no JPEG. */
    if (frame->format == PIXFORMAT_JPEG || frame2jpg(frame, 80, &jpeg, &length)) {
        char taken[40];
        int taken_length = snprintf(taken, sizeof taken, "{\"t\":%lu}",
                                    (unsigned long)frame->timestamp.tv_sec * 1000 +
                                        (unsigned long)frame->timestamp.tv_usec / 1000);
        esp_websocket_client_send_text(client, taken, taken_length, pdMS_TO_TICKS(10000));
        esp_websocket_client_send_bin(client, (const char *)jpeg, (int)length,
                                      pdMS_TO_TICKS(10000));
        if (jpeg != frame->buf) {
            free(jpeg);
        }
    }
    esp_camera_fb_return(frame);
}

static void push_pictures(void *unused)
{
    (void)unused;
    for (;;) {
        if (!awake) {
            ulTaskNotifyTake(pdTRUE, portMAX_DELAY);
        } else {
            push_picture();
            vTaskDelay(pdMS_TO_TICKS(1000 / FRAMES_PER_SECOND));
        }
    }
}

esp_err_t eyelid_push_start(const char *uri, const char *token)
{
    static char headers[160];
    if (token != NULL && token[0] != '\0') {
        snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n", token);
    }
    const esp_websocket_client_config_t config = {
        .uri = uri,
        .subprotocol = "eyelid.v1", /* has Eyelid say when to sleep */
        .headers = headers[0] == '\0' ? NULL : headers,
        .buffer_size = 4096,           /* of 1024, the default, a picture is thirty fragments */
        .reconnect_timeout_ms = 2000,
        .enable_close_reconnect = true, /* else a server that is started anew never sees us again */
    };
    client = esp_websocket_client_init(&config);
    if (client == NULL) {
        return ESP_FAIL;
    }
    if (xTaskCreate(push_pictures, "eyelid", 4096, NULL, 5, &pusher) != pdPASS) {
        return ESP_FAIL;
    }
    esp_err_t error =
        esp_websocket_register_events(client, WEBSOCKET_EVENT_ANY, on_event, NULL);
    return error != ESP_OK ? error : esp_websocket_client_start(client);
}
