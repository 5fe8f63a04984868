/*
 * Lets a camera go silent, as one with a loose cable does: preloaded into a program, it holds back
 * the requests that are queued while the file that EYELID_MUTE names exists. When the camera is
 * stopped they are handed on, and come back.
 *
 * It takes the place of libcamera's Camera::queueRequest() and Camera::stop(), which the program's
 * bindings call.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#define QUEUE_REQUEST "_ZN9libcamera6Camera12queueRequestEPNS_7RequestE"
#define STOP "_ZN9libcamera6Camera4stopEv"

int queue_request(void *camera, void *request) __asm__(QUEUE_REQUEST);
int stop(void *camera) __asm__(STOP);

static void *held[64];
static unsigned count;

static int pass_on(void *camera, void *request)
{
	int (*next)(void *, void *) = (int (*)(void *, void *))dlsym(RTLD_NEXT, QUEUE_REQUEST);

	return next(camera, request);
}

int queue_request(void *camera, void *request)
{
	const char *mute = getenv("EYELID_MUTE");

	if (!mute || access(mute, F_OK) || count == sizeof held / sizeof *held)
		return pass_on(camera, request);
	held[count++] = request;
	return 0;
}

int stop(void *camera)
{
	int (*next)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, STOP);

	while (count)
		pass_on(camera, held[--count]);
	return next(camera);
}
