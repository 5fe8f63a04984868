/*
 * What other cameras do with their full size, and the virtual ones do not: preloaded into a
 * program, it refuses configurations of a camera, as the file that EYELID_STILLS names says, by
 * words:
 *     one       those with two streams: most pipelines give one size at a time
 *     narrow    those larger than 640x480, alone: there is no memory for them
 * It takes the place of libcamera's Camera::configure(), which the program's bindings call.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIGURE "_ZN9libcamera6Camera9configureEPNS_19CameraConfigurationE"
#define SIZE "_ZNK9libcamera19CameraConfiguration4sizeEv"
#define AT "_ZN9libcamera19CameraConfiguration2atEj"

/* How libcamera's StreamConfiguration begins (stream.h). */
struct stream_configuration {
	uint32_t fourcc;
	uint64_t modifier;
	uint32_t width, height;
};

int configure(void *camera, void *configuration) __asm__(CONFIGURE);

static int says(const char *word)
{
	const char *path = getenv("EYELID_STILLS");
	FILE *file = path ? fopen(path, "r") : NULL;
	char text[32] = "";
	int found = 0;

	while (file && !found && fscanf(file, "%31s", text) == 1)
		found = !strcmp(text, word);
	if (file)
		fclose(file);
	return found;
}

int configure(void *camera, void *configuration)
{
	size_t (*size)(const void *) = (size_t (*)(const void *))dlsym(RTLD_DEFAULT, SIZE);
	const struct stream_configuration *(*at)(void *, unsigned) =
		(const struct stream_configuration *(*)(void *, unsigned))dlsym(RTLD_DEFAULT, AT);
	int (*next)(void *, void *) = (int (*)(void *, void *))dlsym(RTLD_NEXT, CONFIGURE);

	if (size(configuration) > 1) {
		if (says("one"))
			return -EINVAL;
	} else if (at(configuration, 0)->width > 640 && says("narrow")) {
		return -ENOMEM;
	}
	return next(camera, configuration);
}
