/* The board behind the headers of this directory: it says what it is told, and reads a script. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Says a line on stdout. */
void board_says(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Lets time pass. */
void board_waits(uint32_t ms);

/* Gives the milliseconds since the start. */
uint32_t board_ms(void);

/* Gives the next line of the script, and says it; the program ends where there is none. */
const char *board_next_line(void);

/* Says whether a line is this word, with or without more; gives what is behind it. */
bool board_is(const char *line, const char *word, const char **rest);

/* Whether what is sent arrives: "fail" and "mend" in the script. */
extern bool board_sends;

#ifdef __cplusplus
}
#endif
