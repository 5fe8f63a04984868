/* V4L2 cameras that are not there, for a program that this is preloaded into (LD_PRELOAD).
 *
 * PRETENDED_CAMERAS is a directory:
 *   dev/videoN     a camera; these files are what the program sees in /dev. Without its file, a
 *                  camera is unplugged. Lines:
 *                    card NAME | driver NAME | bus PLACE | capabilities HEX
 *                    format FOURCC WxH FPS[,FPS...] FILE   FILE has the bytes of each frame
 *                    control ID TYPE MIN MAX DEFAULT NAME  (queryctrl's numbers)
 *                    choice ID INDEX NAME
 *   fault/videoN   what is wrong with it now, a word: busy, silent, broken, short, full, lost, gone;
 *                  of its second size and those after it only: small (no room for it), mute, weak (lost)
 *   log/videoN     what it was told, a line for each
 *
 * A descriptor is a timer: it becomes readable at an exposure, as a camera's does. Each exposure is
 * 100 ms old when it comes, and the buffer says so. What is not known is refused, as cameras do. */
#define _GNU_SOURCE
#include <dirent.h>
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
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MOST 16
#define BUFFERS 8
#define BUFFER_BYTES (4u << 20)
#define AGE_NS 100000000ull

struct mode {
    uint32_t fourcc, width, height, rates[8], rate_count;
    char file[512];
};

struct camera {
    int fd; /* 0: this place is free */
    char name[16];
    struct v4l2_capability capability;
    struct mode modes[MOST], *mode;
    unsigned mode_count, control_count, choice_count;
    struct v4l2_queryctrl controls[MOST];
    struct v4l2_querymenu choices[MOST];
    uint32_t fps;
    unsigned char *buffers[BUFFERS], *picture;
    size_t picture_bytes;
    unsigned waiting[BUFFERS], waiting_count, buffer_count, streaming;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct camera cameras[MOST];

#define NEXT(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

static int refuse(int error) {
    errno = error;
    return -1;
}

static const char *place(const char *kind, const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s/%s", getenv("PRETENDED_CAMERAS"), kind, name);
    return path;
}

static void tell(const struct camera *camera, const char *format, ...) {
    FILE *file = fopen(place("log", camera->name), "a");
    if (!file) return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    fputc('\n', file);
    fclose(file);
}

static int has_fault(const struct camera *camera, const char *what) {
    char word[16] = "";
    FILE *file = fopen(place("fault", camera->name), "r");
    if (!file) return 0;
    int read = fscanf(file, "%15s", word);
    fclose(file);
    return read == 1 && strcmp(word, what) == 0;
}

static struct camera *find(int fd) {
    for (struct camera *camera = cameras; camera < cameras + MOST; camera++)
        if (fd > 0 && camera->fd == fd) return camera;
    return NULL;
}

static void read_line(struct camera *camera, char *line) {
    struct v4l2_capability *capability = &camera->capability;
    struct mode *mode = &camera->modes[camera->mode_count];
    struct v4l2_queryctrl *control = &camera->controls[camera->control_count];
    struct v4l2_querymenu *choice = &camera->choices[camera->choice_count];
    char fourcc[5], rates[64], text[33];
    unsigned id, index;
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "format %4s %ux%u %63s %511s", fourcc, &mode->width, &mode->height, rates, mode->file) == 5) {
        memcpy(&mode->fourcc, fourcc, 4);
        for (char *rate = strtok(rates, ","); rate; rate = strtok(NULL, ","))
            mode->rates[mode->rate_count++] = (uint32_t)atoi(rate);
        camera->mode_count++;
    } else if (sscanf(line, "control %u %u %d %d %d %31[^\n]", &control->id, &control->type, &control->minimum,
                      &control->maximum, &control->default_value, text) == 6) {
        strcpy((char *)control->name, text);
        camera->control_count++;
    } else if (sscanf(line, "choice %u %u %31[^\n]", &id, &index, text) == 3) {
        *choice = (struct v4l2_querymenu){.id = id, .index = index};
        strcpy((char *)choice->name, text);
        camera->choice_count++;
    } else if (strncmp(line, "card ", 5) == 0) {
        snprintf((char *)capability->card, sizeof capability->card, "%.31s", line + 5);
    } else if (strncmp(line, "driver ", 7) == 0) {
        snprintf((char *)capability->driver, sizeof capability->driver, "%.15s", line + 7);
    } else if (strncmp(line, "bus ", 4) == 0) {
        snprintf((char *)capability->bus_info, sizeof capability->bus_info, "%.31s", line + 4);
    } else {
        sscanf(line, "capabilities %x", &capability->device_caps);
    }
}

static int open_camera(const char *name) {
    FILE *file = fopen(place("dev", name), "r");
    if (!file) return refuse(ENOENT);
    struct camera *camera = cameras;
    while (camera < cameras + MOST && camera->fd) camera++;
    if (camera == cameras + MOST) abort();
    memset(camera, 0, sizeof *camera);
    snprintf(camera->name, sizeof camera->name, "%s", name);
    camera->capability.device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    char line[1024];
    while (fgets(line, sizeof line, file)) read_line(camera, line);
    fclose(file);
    camera->capability.capabilities = camera->capability.device_caps | V4L2_CAP_DEVICE_CAPS;
    camera->mode = camera->modes;
    return camera->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

static int timer(struct camera *camera, unsigned fps) {
    uint64_t ns = fps ? 1000000000u / fps : 0;
    struct timespec period = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    struct itimerspec spec = {period, period};
    return timerfd_settime(camera->fd, 0, &spec, NULL);
}

/* Something is wrong with it that is not wrong with its first size. */
static int has_fault_here(const struct camera *camera, const char *what) {
    return camera->mode != camera->modes && has_fault(camera, what);
}

static int stream_on(struct camera *camera) {
    if (has_fault(camera, "full") || has_fault_here(camera, "small")) return refuse(ENOSPC);
    FILE *file = fopen(camera->mode->file, "r");
    if (!file) abort();
    free(camera->picture);
    camera->picture = malloc(BUFFER_BYTES);
    camera->picture_bytes = fread(camera->picture, 1, BUFFER_BYTES, file);
    fclose(file);
    tell(camera, "STREAMON");
    camera->streaming = 1;
    return timer(camera, has_fault(camera, "silent") || has_fault_here(camera, "mute") ? 0 : camera->fps);
}

static int stream_off(struct camera *camera) {
    tell(camera, "STREAMOFF");
    camera->streaming = camera->waiting_count = 0;
    return timer(camera, 0);
}

static int dequeue(struct camera *camera, struct v4l2_buffer *buffer) {
    uint64_t passed;
    if (!camera->streaming) return refuse(EINVAL);
    if (has_fault(camera, "lost") || has_fault_here(camera, "weak")) return refuse(EIO);
    if (read(camera->fd, &passed, sizeof passed) != sizeof passed || has_fault(camera, "silent")) return refuse(EAGAIN);
    if (camera->waiting_count == 0) return refuse(EAGAIN);
    unsigned index = camera->waiting[0];
    memmove(camera->waiting, camera->waiting + 1, --camera->waiting_count * sizeof *camera->waiting);
    memcpy(camera->buffers[index], camera->picture, camera->picture_bytes);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t at_us = ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - AGE_NS) / 1000;
    *buffer = (struct v4l2_buffer){
        .index = index,
        .type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
        .memory = V4L2_MEMORY_MMAP,
        .bytesused = (uint32_t)(has_fault(camera, "short") ? camera->picture_bytes / 2 : camera->picture_bytes),
        .length = BUFFER_BYTES,
        .m.offset = index * BUFFER_BYTES,
        .flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_SOE |
                 (has_fault(camera, "broken") ? V4L2_BUF_FLAG_ERROR : 0),
        .timestamp = {(time_t)(at_us / 1000000), (suseconds_t)(at_us % 1000000)},
    };
    return 0;
}

static int enqueue(struct camera *camera, unsigned index) {
    for (unsigned i = 0; i < camera->waiting_count; i++)
        if (camera->waiting[i] == index) return refuse(EINVAL);
    if (index >= camera->buffer_count) return refuse(EINVAL);
    camera->waiting[camera->waiting_count++] = index;
    return 0;
}

/* The number-th of the formats, each once. */
static int describe(const struct camera *camera, struct v4l2_fmtdesc *wanted) {
    unsigned number = 0;
    for (unsigned i = 0; i < camera->mode_count; i++) {
        unsigned first = 0;
        while (camera->modes[first].fourcc != camera->modes[i].fourcc) first++;
        if (first < i) continue;
        wanted->pixelformat = camera->modes[i].fourcc;
        if (number++ == wanted->index) return 0;
    }
    return refuse(EINVAL);
}

static int frame_size(const struct camera *camera, struct v4l2_frmsizeenum *wanted) {
    unsigned number = 0;
    for (const struct mode *mode = camera->modes; mode < camera->modes + camera->mode_count; mode++) {
        if (mode->fourcc != wanted->pixel_format || number++ != wanted->index) continue;
        wanted->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        wanted->discrete = (struct v4l2_frmsize_discrete){mode->width, mode->height};
        return 0;
    }
    return refuse(EINVAL);
}

static struct mode *find_mode(struct camera *camera, uint32_t fourcc, uint32_t width, uint32_t height) {
    for (struct mode *mode = camera->modes; mode < camera->modes + camera->mode_count; mode++)
        if (mode->fourcc == fourcc && mode->width == width && mode->height == height) return mode;
    return NULL;
}

static int interval(struct camera *camera, struct v4l2_frmivalenum *wanted) {
    struct mode *mode = find_mode(camera, wanted->pixel_format, wanted->width, wanted->height);
    if (!mode || wanted->index >= mode->rate_count) return refuse(EINVAL);
    wanted->type = V4L2_FRMIVAL_TYPE_DISCRETE;
    wanted->discrete = (struct v4l2_fract){1, mode->rates[wanted->index]};
    return 0;
}

static int format(const struct camera *camera, struct v4l2_format *format) {
    const struct mode *mode = camera->mode;
    uint32_t row = mode->fourcc == V4L2_PIX_FMT_YUYV ? mode->width * 2 : mode->width;
    format->fmt.pix = (struct v4l2_pix_format){
        .width = mode->width,
        .height = mode->height,
        .pixelformat = mode->fourcc,
        .field = V4L2_FIELD_NONE,
        .bytesperline = mode->fourcc == V4L2_PIX_FMT_MJPEG ? 0 : row,
        .sizeimage = BUFFER_BYTES,
        .colorspace = V4L2_COLORSPACE_SRGB,
        .priv = V4L2_PIX_FMT_PRIV_MAGIC,
        .quantization = V4L2_QUANTIZATION_FULL_RANGE,
    };
    return 0;
}

static int set_format(struct camera *camera, struct v4l2_format *wanted) {
    if (has_fault(camera, "busy")) return refuse(EBUSY);
    const struct v4l2_pix_format *pix = &wanted->fmt.pix;
    struct mode *mode = find_mode(camera, pix->pixelformat, pix->width, pix->height);
    if (mode) camera->mode = mode;
    camera->fps = camera->mode->rates[0];
    tell(camera, "S_FMT %.4s %ux%u", (char *)&camera->mode->fourcc, camera->mode->width, camera->mode->height);
    return format(camera, wanted);
}

static int parameters(struct camera *camera, struct v4l2_streamparm *wanted, int set) {
    struct v4l2_captureparm *capture = &wanted->parm.capture;
    if (set) {
        camera->fps = capture->timeperframe.denominator / capture->timeperframe.numerator;
        tell(camera, "S_PARM %u", camera->fps);
    }
    capture->capability = V4L2_CAP_TIMEPERFRAME;
    capture->timeperframe = (struct v4l2_fract){1, camera->fps};
    return 0;
}

static int request_buffers(struct camera *camera, struct v4l2_requestbuffers *wanted) {
    if (wanted->memory != V4L2_MEMORY_MMAP) return refuse(EINVAL);
    if (wanted->count > BUFFERS) wanted->count = BUFFERS;
    tell(camera, "REQBUFS %u", wanted->count);
    camera->waiting_count = 0; /* as STREAMOFF */
    camera->buffer_count = wanted->count;
    return 0;
}

static int control(const struct camera *camera, struct v4l2_queryctrl *wanted) {
    uint32_t after = wanted->id & ~V4L2_CTRL_FLAG_NEXT_CTRL;
    for (unsigned i = 0; i < camera->control_count; i++)
        if (camera->controls[i].id > after) {
            *wanted = camera->controls[i];
            return 0;
        }
    return refuse(EINVAL);
}

static int choice(const struct camera *camera, struct v4l2_querymenu *wanted) {
    for (unsigned i = 0; i < camera->choice_count; i++)
        if (camera->choices[i].id == wanted->id && camera->choices[i].index == wanted->index) {
            *wanted = camera->choices[i];
            return 0;
        }
    return refuse(EINVAL);
}

static int answer(struct camera *camera, unsigned long request, void *argument) {
    if (access(place("dev", camera->name), F_OK) || has_fault(camera, "gone")) return refuse(ENODEV);
    switch (request & 0xffffffff) { /* some programs extend its sign */
    case VIDIOC_QUERYCAP: *(struct v4l2_capability *)argument = camera->capability; return 0;
    case VIDIOC_ENUM_FMT: return describe(camera, argument);
    case VIDIOC_ENUM_FRAMESIZES: return frame_size(camera, argument);
    case VIDIOC_ENUM_FRAMEINTERVALS: return interval(camera, argument);
    case VIDIOC_G_FMT: return format(camera, argument);
    case VIDIOC_S_FMT: return set_format(camera, argument);
    case VIDIOC_G_PARM: return parameters(camera, argument, 0);
    case VIDIOC_S_PARM: return parameters(camera, argument, 1);
    case VIDIOC_REQBUFS: return request_buffers(camera, argument);
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = argument;
        buffer->length = BUFFER_BYTES;
        buffer->m.offset = buffer->index * BUFFER_BYTES;
        return 0;
    }
    case VIDIOC_QBUF: return enqueue(camera, ((struct v4l2_buffer *)argument)->index);
    case VIDIOC_DQBUF: return dequeue(camera, argument);
    case VIDIOC_STREAMON: return stream_on(camera);
    case VIDIOC_STREAMOFF: return stream_off(camera);
    case VIDIOC_QUERYCTRL: return control(camera, argument);
    case VIDIOC_QUERYMENU: return choice(camera, argument);
    case VIDIOC_S_CTRL: {
        struct v4l2_control *wanted = argument;
        tell(camera, "S_CTRL %u %d", wanted->id, wanted->value);
        return 0;
    }
    default: return refuse(ENOTTY);
    }
}

/* What a program calls. */

static int is_camera(const char *path) {
    return strncmp(path, "/dev/video", 10) == 0;
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!is_camera(path)) return NEXT(open64)(path, flags, mode);
    pthread_mutex_lock(&lock);
    int fd = open_camera(path + strlen("/dev/"));
    pthread_mutex_unlock(&lock);
    return fd;
}

int close(int fd) {
    struct camera *camera = find(fd);
    if (camera) {
        tell(camera, "close");
        camera->fd = 0;
    }
    return NEXT(close)(fd);
}

DIR *opendir(const char *path) {
    return NEXT(opendir)(strcmp(path, "/dev") ? path : place("dev", ""));
}

char *realpath(const char *path, char *resolved) {
    if (!is_camera(path)) return NEXT(realpath)(path, resolved);
    if (access(place("dev", path + strlen("/dev/")), F_OK)) return NULL;
    return resolved ? strcpy(resolved, path) : strdup(path);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask) {
    return NEXT(inotify_add_watch)(fd, strcmp(path, "/dev") ? path : place("dev", ""), mask);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset) {
    struct camera *camera = find(fd);
    if (!camera) return NEXT(mmap64)(address, length, protection, flags, fd, offset);
    void *memory = NEXT(mmap64)(NULL, length, protection, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    camera->buffers[offset / BUFFER_BYTES] = memory;
    return memory;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    return mmap64(address, length, protection, flags, fd, offset);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    struct camera *camera = find(fd);
    if (!camera) return NEXT(ioctl)(fd, request, argument);
    pthread_mutex_lock(&lock);
    int result = answer(camera, request, argument);
    int error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
