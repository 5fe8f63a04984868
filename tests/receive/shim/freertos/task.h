/* FreeRTOS: the one task that there is here. */
#pragma once

#include "freertos/FreeRTOS.h"

typedef struct task *TaskHandle_t;

#ifdef __cplusplus
extern "C" {
#endif

BaseType_t xTaskCreate(void (*task)(void *), const char *name, uint32_t stack, void *argument,
                       unsigned priority, TaskHandle_t *handle);
void xTaskNotifyGive(TaskHandle_t task);
uint32_t ulTaskNotifyTake(BaseType_t clear, TickType_t ticks);
void vTaskDelay(TickType_t ticks);

#ifdef __cplusplus
}
#endif
