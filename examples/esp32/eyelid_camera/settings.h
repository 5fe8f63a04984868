// What is to be set before the board is flashed.
#pragma once

// The board: BOARD_AI_THINKER, BOARD_ATOMS3R_CAM, BOARD_M5STACK_A (M5Camera, model A, and Timer
// Camera) or BOARD_M5STACK_B (M5Camera, model B). board.h has their pins.
#define BOARD_AI_THINKER

#define WIFI_NAME "my network"
#define WIFI_PASSWORD "its password"

// The computer that runs eyelid-receive, by its address: the board looks up no .local names.
#define EYELID_HOST "192.168.1.10"
#define EYELID_PORT 8765

// The camera's name, as in [receive.cameras.door], and its token: what
// `eyelid-receive --new-token door` said.
#define CAMERA_NAME "door"
#define CAMERA_TOKEN ""

// Frames a second, at most: more than somebody sees is only heat.
#define FRAMES_PER_SECOND 15
