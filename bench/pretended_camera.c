/* A camera that is not there, for programs that know V4L2: preloaded into one (LD_PRELOAD), it
 * answers for DEVICE.
 *
 * The camera gives one M-JPEG picture, WIDTHxHEIGHT as PRETENDED_CAMERA says, FPS times a second;
 * the picture comes from standard input (`eyelid-bench picture`), and each copy of it gets the
 * moment of its exposure, as src/picture.rs has it. The descriptor is a timer: it becomes readable
 * at an exposure, as a camera's does. Streaming from mapped buffers is all it knows; what it does
 * not know it refuses, as cameras do. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* mjpg-streamer keeps 15 bytes of its name. */
#define DEVICE "/dev/pretended"
#define FPS 30
#define PERIOD_NS (1000000000ull / FPS)
#define BUFFERS 8
#define BUFFER_BYTES (1u << 20)

static const char MARK[] = {'\xff', '\xfe', 0, 15, 's', 'e', 'e', 'n'};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned width, height;
static unsigned char picture[BUFFER_BYTES], *moment;
static size_t picture_bytes;
static int camera = -1;
static unsigned char *buffers[BUFFERS];
static unsigned waiting[BUFFERS], waiting_count; /* for an exposure, the first is the next */
static uint64_t exposures, start_ns, start_monotonic_ns;

__attribute__((constructor)) static void load(void) {
    const char *size = getenv("PRETENDED_CAMERA");
    size_t got;
    while ((got = fread(picture + picture_bytes, 1, BUFFER_BYTES - picture_bytes, stdin)) > 0)
        picture_bytes += got;
    unsigned char *mark = memmem(picture, picture_bytes, MARK, sizeof MARK);
    if (!mark || !size || sscanf(size, "%ux%u", &width, &height) != 2) {
        fputs("pretended camera: a picture on standard input, and PRETENDED_CAMERA=WIDTHxHEIGHT\n", stderr);
        _exit(2);
    }
    moment = mark + sizeof MARK;
}

static uint64_t now_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int refuse(int error) {
    errno = error;
    return -1;
}

static int stream(unsigned long period_ns) {
    struct timespec period = {0, (long)period_ns};
    struct itimerspec timer = {period, period};
    exposures = 0;
    start_ns = now_ns(CLOCK_REALTIME);
    start_monotonic_ns = now_ns(CLOCK_MONOTONIC);
    return timerfd_settime(camera, 0, &timer, NULL);
}

/* Gives the newest exposure. Those that nobody fetched, or had given no buffer for, are lost. */
static int dequeue(struct v4l2_buffer *buffer) {
    uint64_t passed;
    if (read(camera, &passed, sizeof passed) != sizeof passed) return refuse(EAGAIN);
    exposures += passed;
    if (waiting_count == 0) return refuse(EAGAIN);
    unsigned index = waiting[0];
    memmove(waiting, waiting + 1, --waiting_count * sizeof *waiting);
    uint64_t exposed_ns = start_ns + exposures * PERIOD_NS;
    uint64_t monotonic_us = (start_monotonic_ns + exposures * PERIOD_NS) / 1000;
    for (int byte = 0; byte < 9; byte++) moment[byte] = (unsigned char)(exposed_ns >> (56 - 7 * byte) & 0x7f);
    memcpy(buffers[index], picture, picture_bytes);
    *buffer = (struct v4l2_buffer){
        .index = index,
        .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
        .memory = V4L2_MEMORY_MMAP,
        .bytesused = (uint32_t)picture_bytes,
        .length = BUFFER_BYTES,
        .m.offset = index * BUFFER_BYTES,
        .flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC,
        .sequence = (uint32_t)exposures,
        .timestamp = {(time_t)(monotonic_us / 1000000), (suseconds_t)(monotonic_us % 1000000)},
    };
    return 0;
}

static int enqueue(const struct v4l2_buffer *buffer) {
    if (buffer->index >= BUFFERS || waiting_count == BUFFERS) return refuse(EINVAL);
    waiting[waiting_count++] = buffer->index;
    return 0;
}

static int describe(struct v4l2_fmtdesc *format) {
    if (format->index > 0) return refuse(EINVAL);
    format->pixelformat = V4L2_PIX_FMT_MJPEG;
    format->flags = V4L2_FMT_FLAG_COMPRESSED;
    return 0;
}

static int format(struct v4l2_format *format) {
    format->fmt.pix = (struct v4l2_pix_format){
        .width = width,
        .height = height,
        .pixelformat = V4L2_PIX_FMT_MJPEG,
        .field = V4L2_FIELD_NONE,
        .sizeimage = BUFFER_BYTES,
    };
    return 0;
}

static int answer(unsigned long request, void *argument) {
    switch (request & 0xffffffff) { /* some programs extend its sign */
    case VIDIOC_QUERYCAP: {
        uint32_t capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        *(struct v4l2_capability *)argument = (struct v4l2_capability){
            .driver = "pretended",
            .card = "pretended camera",
            .capabilities = capabilities | V4L2_CAP_DEVICE_CAPS,
            .device_caps = capabilities,
        };
        return 0;
    }
    case VIDIOC_S_INPUT: return 0;
    case VIDIOC_ENUM_FMT: return describe(argument);
    case VIDIOC_G_FMT:
    case VIDIOC_S_FMT:
    case VIDIOC_TRY_FMT: return format(argument);
    case VIDIOC_G_PARM:
    case VIDIOC_S_PARM: {
        struct v4l2_captureparm *capture = &((struct v4l2_streamparm *)argument)->parm.capture;
        capture->capability = V4L2_CAP_TIMEPERFRAME;
        capture->timeperframe = (struct v4l2_fract){1, FPS};
        return 0;
    }
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *wanted = argument;
        if (wanted->memory != V4L2_MEMORY_MMAP) return refuse(EINVAL);
        if (wanted->count > BUFFERS) wanted->count = BUFFERS;
        waiting_count = 0;
        return 0;
    }
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = argument;
        buffer->length = BUFFER_BYTES;
        buffer->m.offset = buffer->index * BUFFER_BYTES;
        return 0;
    }
    case VIDIOC_QBUF: return enqueue(argument);
    case VIDIOC_DQBUF: return dequeue(argument);
    case VIDIOC_STREAMON: return stream(PERIOD_NS);
    case VIDIOC_STREAMOFF: waiting_count = 0; return stream(0);
    default: return refuse(ENOTTY);
    }
}

/* What a program calls. */

int access(const char *path, int mode) {
    int (*next)(const char *, int) = dlsym(RTLD_NEXT, "access");
    return strcmp(path, DEVICE) == 0 ? 0 : next(path, mode);
}

static int open_camera(void) {
    return camera = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

/* Rust's library calls it by this name. */
int open64(const char *path, int flags, ...) {
    int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return strcmp(path, DEVICE) == 0 ? open_camera() : next(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open64(path, flags, mode);
}

char *realpath(const char *path, char *resolved) {
    char *(*next)(const char *, char *) = dlsym(RTLD_NEXT, "realpath");
    if (strcmp(path, DEVICE) != 0) return next(path, resolved);
    return resolved ? strcpy(resolved, path) : strdup(path);
}

int close(int descriptor) {
    int (*next)(int) = dlsym(RTLD_NEXT, "close");
    if (descriptor >= 0 && descriptor == camera) camera = -1;
    return next(descriptor);
}

void *mmap64(void *address, size_t length, int protection, int flags, int descriptor, off64_t offset) {
    void *(*next)(void *, size_t, int, int, int, off64_t) = dlsym(RTLD_NEXT, "mmap64");
    if (descriptor < 0 || descriptor != camera) return next(address, length, protection, flags, descriptor, offset);
    if (length > BUFFER_BYTES || offset < 0 || offset >= (off_t)BUFFERS * BUFFER_BYTES) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    void *memory = next(NULL, length, protection, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) buffers[offset / BUFFER_BYTES] = memory;
    return memory;
}

void *mmap(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) {
    return mmap64(address, length, protection, flags, descriptor, offset);
}

int ioctl(int descriptor, unsigned long request, ...) {
    int (*next)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (descriptor < 0 || descriptor != camera) return next(descriptor, request, argument);
    pthread_mutex_lock(&lock);
    int result = answer(request, argument);
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
