/* A V4L2 encoder that is not there, for a program that this is preloaded into (LD_PRELOAD): a
 * stateful memory-to-memory device with the multi-planar interface, as a Raspberry Pi's.
 *
 * PRETENDED_ENCODER is a directory:
 *   node    the path of the device; without this file there is none
 *   fault   what is wrong with it now, words: denied, refuse, hang, eio, broken, gone; foreign (it
 *           makes no H.264), aligned (its widths are multiples of 32), small (no more than 640 by
 *           480), nokey (no control for keyframes), bare (parameter sets once, in a buffer of their
 *           own, and no control to repeat them)
 *   log     what it was told, a line for each
 *
 * What it makes is H.264 whose macroblocks are samples (I_PCM): all pixels are those that it was
 * given, so a row in a wrong place is seen. Formats, limits and controls are those of the driver
 * bcm2835-codec. A buffer that is queued is encoded at once; what is not known is refused. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define CONTEXTS 16
#define BUFFERS 4
#define BUFFER_BYTES (8u << 20)
#define OUTPUT 0
#define CAPTURE 1

struct queue {
    struct v4l2_pix_format_mplane format;
    unsigned count, streaming;
    unsigned queued[BUFFERS], queued_count, done[BUFFERS], done_count;
    struct v4l2_buffer buffers[BUFFERS];
    struct v4l2_plane planes[BUFFERS];
};

struct control {
    uint32_t id;
    int32_t minimum, maximum, value;
    const char *name;
};

/* A program that has it open. Its descriptor is a file in memory, which has the buffers. */
struct context {
    int fd; /* 0: this place is free */
    struct queue queues[2];
    struct v4l2_rect crop;
    unsigned key_is_wanted, has_begun, frame_number, idr_number;
    unsigned char *memory;
    struct control controls[8];
};

static const struct control CONTROLS[8] = {
    {V4L2_CID_MPEG_VIDEO_BITRATE, 25000, 25000000, 10000000, "bitrate"},
    {V4L2_CID_MPEG_VIDEO_HEADER_MODE, 0, 1, 1, "header"},
    {V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 0, 1, 0, "repeat"},
    {V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 0, 0, 0, "key"},
    {V4L2_CID_MPEG_VIDEO_H264_I_PERIOD, 0, 0x7FFFFFFF, 60, "period"},
    {V4L2_CID_MPEG_VIDEO_H264_LEVEL, 0, V4L2_MPEG_VIDEO_H264_LEVEL_5_1, V4L2_MPEG_VIDEO_H264_LEVEL_4_0, "level"},
    {V4L2_CID_MPEG_VIDEO_H264_PROFILE, 0, V4L2_MPEG_VIDEO_H264_PROFILE_HIGH, V4L2_MPEG_VIDEO_H264_PROFILE_HIGH, "profile"},
    {V4L2_CID_MPEG_VIDEO_GOP_SIZE, 0, 0x7FFFFFFF, 60, "gop"},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct context contexts[CONTEXTS];

#define NEXT(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

static int refuse(int error) {
    errno = error;
    return -1;
}

static const char *place(const char *name) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", getenv("PRETENDED_ENCODER"), name);
    return path;
}

static void tell(const char *format, ...) {
    FILE *file = fopen(place("log"), "a");
    if (!file) return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    fputc('\n', file);
    fclose(file);
}

static int has_fault(const char *what) {
    char word[16];
    FILE *file = fopen(place("fault"), "r");
    int found = 0;
    while (file && !found && fscanf(file, "%15s", word) == 1) found = strcmp(word, what) == 0;
    if (file) fclose(file);
    return found;
}

static int is_node(const char *path) {
    char node[256] = "";
    FILE *file = strncmp(path, "/dev/video", 10) == 0 ? fopen(place("node"), "r") : NULL;
    if (!file) return 0;
    int read = fscanf(file, "%255s", node);
    fclose(file);
    return read == 1 && strcmp(node, path) == 0;
}

static struct context *find(int fd) {
    for (struct context *context = contexts; context < contexts + CONTEXTS; context++)
        if (fd > 0 && context->fd == fd) return context;
    return NULL;
}

static struct control *control_of(struct context *context, uint32_t id) {
    if (id == V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME && has_fault("nokey")) return NULL;
    if (id == V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER && has_fault("bare")) return NULL;
    for (struct control *control = context->controls; control < context->controls + 8; control++)
        if (control->id == id) return control;
    return NULL;
}

static int32_t value_of(struct context *context, uint32_t id) {
    const struct control *control = control_of(context, id);
    return control ? control->value : 0;
}

static int open_encoder(void) {
    if (has_fault("denied")) return refuse(EACCES);
    struct context *context = contexts;
    while (context < contexts + CONTEXTS && context->fd) context++;
    if (context == contexts + CONTEXTS) abort();
    memset(context, 0, sizeof *context);
    memcpy(context->controls, CONTROLS, sizeof CONTROLS);
    context->fd = memfd_create("encoder", MFD_CLOEXEC);
    size_t bytes = 2 * BUFFERS * (size_t)BUFFER_BYTES;
    if (ftruncate(context->fd, (off_t)bytes) != 0) abort();
    context->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, context->fd, 0);
    tell("open");
    return context->fd;
}

/* Bits, from the first of a byte on. */

struct bits {
    unsigned char *bytes;
    size_t count;
};

static void put(struct bits *bits, unsigned count, uint32_t value) {
    while (count--) {
        if (bits->count % 8 == 0) bits->bytes[bits->count / 8] = 0;
        bits->bytes[bits->count / 8] |= (unsigned char)((value >> count & 1) << (7 - bits->count % 8));
        bits->count++;
    }
}

/* Exp-Golomb, ITU-T H.264, 9.1. */
static void put_ue(struct bits *bits, uint32_t value) {
    unsigned length = 32 - (unsigned)__builtin_clz(value + 1);
    put(bits, length - 1, 0);
    put(bits, length, value + 1);
}

static void put_end(struct bits *bits) {
    put(bits, 1, 1);
    while (bits->count % 8) put(bits, 1, 0);
}

/* Writes a unit behind a start code, with a 3 where bytes would look like one (7.4.1). */
static size_t put_unit(unsigned char *to, unsigned char head, const struct bits *bits) {
    size_t at = 0, zeros = 0;
    memcpy(to, "\0\0\0\1", 4);
    at = 4;
    to[at++] = head;
    for (size_t byte = 0; byte < bits->count / 8; byte++) {
        if (zeros >= 2 && bits->bytes[byte] <= 3) {
            to[at++] = 3;
            zeros = 0;
        }
        zeros = bits->bytes[byte] == 0 ? zeros + 1 : 0;
        to[at++] = bits->bytes[byte];
    }
    return at;
}

static size_t put_parameter_sets(struct context *context, unsigned char *to) {
    static const unsigned char LEVELS[] = {10, 9, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51};
    unsigned char room[64];
    struct bits bits = {room, 0};
    unsigned columns = (context->crop.width + 15) / 16, rows = (context->crop.height + 15) / 16;
    unsigned right = (columns * 16 - context->crop.width) / 2, bottom = (rows * 16 - context->crop.height) / 2;
    int profile = value_of(context, V4L2_CID_MPEG_VIDEO_H264_PROFILE);
    put(&bits, 8, profile <= V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE ? 66 : 100);
    put(&bits, 8, profile == V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE ? 0xC0 : 0);
    put(&bits, 8, LEVELS[value_of(context, V4L2_CID_MPEG_VIDEO_H264_LEVEL)]);
    put_ue(&bits, 0); /* its number */
    put_ue(&bits, 4); /* numbers of frames have 8 bits */
    put_ue(&bits, 2); /* pictures come in order */
    put_ue(&bits, 1); /* one is kept */
    put(&bits, 1, 0);
    put_ue(&bits, columns - 1);
    put_ue(&bits, rows - 1);
    put(&bits, 2, 3); /* whole frames; inference for direct prediction */
    put(&bits, 1, right || bottom);
    if (right || bottom) {
        put_ue(&bits, 0);
        put_ue(&bits, right);
        put_ue(&bits, 0);
        put_ue(&bits, bottom);
    }
    put(&bits, 1, 0); /* nothing said of colours */
    put_end(&bits);
    size_t bytes = put_unit(to, 0x67, &bits);
    bits.count = 0;
    put_ue(&bits, 0);
    put_ue(&bits, 0);
    put(&bits, 2, 0);
    for (int field = 0; field < 3; field++) put_ue(&bits, 0); /* slice groups, references */
    put(&bits, 3, 0);
    for (int field = 0; field < 3; field++) put_ue(&bits, 0); /* quantisers */
    put(&bits, 3, 4);                                         /* slices say whether they are deblocked */
    put_end(&bits);
    return bytes + put_unit(to + bytes, 0x68, &bits);
}

static unsigned at_most(unsigned value, unsigned most) {
    return value < most ? value : most;
}

static void put_samples(struct bits *bits, const unsigned char *plane, unsigned stride, unsigned rows, unsigned x,
                        unsigned y, unsigned side) {
    unsigned char *to = bits->bytes + bits->count / 8;
    for (unsigned row = 0; row < side; row++)
        for (unsigned column = 0; column < side; column++)
            *to++ = plane[at_most(y + row, rows - 1) * stride + at_most(x + column, stride - 1)];
    bits->count += side * side * 8;
}

static size_t put_picture(struct context *context, const unsigned char *samples, unsigned is_key, unsigned char *to) {
    static unsigned char room[BUFFER_BYTES];
    struct bits bits = {room, 0};
    const struct v4l2_pix_format_mplane *format = &context->queues[OUTPUT].format;
    unsigned stride = format->plane_fmt[0].bytesperline, rows = format->height;
    const unsigned char *u = samples + stride * rows, *v = u + stride / 2 * (rows / 2);
    put_ue(&bits, 0);
    put_ue(&bits, is_key ? 7 : 5);
    put_ue(&bits, 0);
    put(&bits, 8, context->frame_number);
    if (is_key) {
        put_ue(&bits, context->idr_number);
        put(&bits, 2, 0);
    } else {
        put(&bits, 3, 0); /* references as they are; marking, too */
    }
    put_ue(&bits, 0); /* quantiser */
    put_ue(&bits, 1); /* not deblocked */
    for (unsigned y = 0; y < context->crop.height; y += 16)
        for (unsigned x = 0; x < context->crop.width; x += 16) {
            if (!is_key) put_ue(&bits, 0); /* none skipped */
            put_ue(&bits, is_key ? 25 : 30);
            while (bits.count % 8) put(&bits, 1, 0);
            put_samples(&bits, samples, stride, rows, x, y, 16);
            put_samples(&bits, u, stride / 2, rows / 2, x / 2, y / 2, 8);
            put_samples(&bits, v, stride / 2, rows / 2, x / 2, y / 2, 8);
        }
    put_end(&bits);
    return put_unit(to, is_key ? 0x65 : 0x41, &bits);
}

/* Queues. */

static unsigned char *memory_of(struct context *context, unsigned side, unsigned index) {
    return context->memory + (side * BUFFERS + index) * (size_t)BUFFER_BYTES;
}

static unsigned take_first(unsigned *list, unsigned *count) {
    unsigned first = list[0];
    memmove(list, list + 1, --*count * sizeof *list);
    return first;
}

static void give_back(struct queue *queue, unsigned index, unsigned bytes, unsigned flags, struct timeval at) {
    struct v4l2_buffer *buffer = &queue->buffers[index];
    buffer->flags = V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_TIMESTAMP_COPY | flags;
    buffer->timestamp = at;
    queue->planes[index].bytesused = bytes;
    queue->done[queue->done_count++] = index;
}

/* Encodes for as long as there are buffers on both sides. */
static void work(struct context *context) {
    struct queue *output = &context->queues[OUTPUT], *capture = &context->queues[CAPTURE];
    while (output->streaming && capture->streaming && output->queued_count && !has_fault("hang")) {
        int is_apart = has_fault("bare") && !context->has_begun;
        if (capture->queued_count < 1u + (unsigned)is_apart) return;
        unsigned from = take_first(output->queued, &output->queued_count);
        unsigned to = take_first(capture->queued, &capture->queued_count);
        struct timeval at = output->buffers[from].timestamp;
        unsigned char *bits = memory_of(context, CAPTURE, to);
        size_t bytes = 0;
        unsigned is_key = context->key_is_wanted || !context->has_begun;
        if (is_key) context->frame_number = 0;
        if (is_apart) {
            give_back(capture, to, (unsigned)put_parameter_sets(context, bits), 0, at);
            to = take_first(capture->queued, &capture->queued_count);
            bits = memory_of(context, CAPTURE, to);
        } else if (is_key && (!context->has_begun || value_of(context, V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER))) {
            bytes = put_parameter_sets(context, bits);
        }
        bytes += put_picture(context, memory_of(context, OUTPUT, from), is_key, bits + bytes);
        context->idr_number ^= is_key;
        context->frame_number = (context->frame_number + 1) & 0xFF;
        context->key_is_wanted = 0;
        context->has_begun = 1;
        give_back(output, from, 0, 0, at);
        unsigned flags = is_key ? V4L2_BUF_FLAG_KEYFRAME : 0;
        give_back(capture, to, (unsigned)bytes, has_fault("broken") ? V4L2_BUF_FLAG_ERROR : flags, at);
    }
}

static int enqueue(struct context *context, unsigned side, const struct v4l2_buffer *buffer) {
    struct queue *queue = &context->queues[side];
    if (buffer->index >= queue->count || buffer->memory != V4L2_MEMORY_MMAP || buffer->length < 1) return refuse(EINVAL);
    for (unsigned at = 0; at < queue->queued_count; at++)
        if (queue->queued[at] == buffer->index) return refuse(EINVAL);
    const struct v4l2_plane *plane = buffer->m.planes;
    if (side == OUTPUT && plane->bytesused > queue->format.plane_fmt[0].sizeimage) return refuse(EINVAL);
    queue->buffers[buffer->index].timestamp = buffer->timestamp;
    queue->queued[queue->queued_count++] = buffer->index;
    work(context);
    return 0;
}

static int dequeue(struct context *context, unsigned side, struct v4l2_buffer *buffer) {
    struct queue *queue = &context->queues[side];
    if (!queue->streaming || buffer->length < 1) return refuse(EINVAL);
    if (side == CAPTURE && has_fault("eio")) return refuse(EIO);
    if (queue->done_count == 0) return refuse(EAGAIN);
    unsigned index = take_first(queue->done, &queue->done_count);
    struct v4l2_plane *planes = buffer->m.planes;
    *buffer = queue->buffers[index];
    buffer->index = index;
    buffer->m.planes = planes;
    buffer->length = 1;
    planes[0] = queue->planes[index];
    return 0;
}

static int stream(struct context *context, unsigned side, unsigned is_on) {
    struct queue *queue = &context->queues[side];
    if (is_on && queue->count == 0) return refuse(EINVAL);
    queue->streaming = is_on;
    if (is_on) {
        work(context);
    } else {
        queue->queued_count = queue->done_count = 0;
        context->has_begun = 0;
    }
    return 0;
}

static int request_buffers(struct queue *queue, struct v4l2_requestbuffers *wanted) {
    if (wanted->memory != V4L2_MEMORY_MMAP) return refuse(EINVAL);
    if (queue->streaming) return refuse(EBUSY);
    if (wanted->count > BUFFERS) wanted->count = BUFFERS;
    queue->count = wanted->count;
    return 0;
}

static int query_buffer(struct context *context, unsigned side, struct v4l2_buffer *buffer) {
    struct queue *queue = &context->queues[side];
    if (buffer->index >= queue->count || buffer->length < 1) return refuse(EINVAL);
    buffer->m.planes[0].length = queue->format.plane_fmt[0].sizeimage;
    buffer->m.planes[0].m.mem_offset = (side * BUFFERS + buffer->index) * BUFFER_BYTES;
    buffer->length = 1;
    return 0;
}

/* Formats. */

static unsigned between(unsigned least, unsigned value, unsigned most) {
    return value < least ? least : at_most(value, most);
}

static int set_format(struct context *context, unsigned side, struct v4l2_pix_format_mplane *format) {
    struct queue *queue = &context->queues[side];
    struct v4l2_plane_pix_format *plane = &format->plane_fmt[0];
    if (has_fault("refuse")) return refuse(EINVAL);
    if (queue->count) return refuse(EBUSY);
    format->width = between(32, format->width, has_fault("small") ? 640 : 1920);
    format->height = between(32, format->height, has_fault("small") ? 480 : 1920);
    format->num_planes = 1;
    format->field = V4L2_FIELD_NONE;
    if (side == CAPTURE) {
        unsigned least = format->width * format->height > 1280 * 720 ? 768 << 10 : 512 << 10;
        format->pixelformat = has_fault("foreign") ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_H264;
        plane->bytesperline = 0;
        plane->sizeimage = between(least, plane->sizeimage, BUFFER_BYTES);
    } else {
        if (has_fault("aligned")) format->width = (format->width + 31) / 32 * 32;
        if (format->pixelformat != V4L2_PIX_FMT_NV12) format->pixelformat = V4L2_PIX_FMT_YUV420;
        plane->bytesperline = (between(format->width, plane->bytesperline, 4096) + 63) / 64 * 64;
        plane->sizeimage = plane->bytesperline * format->height * 3 / 2;
        context->crop = (struct v4l2_rect){0, 0, format->width, format->height};
    }
    queue->format = *format;
    tell("format %s %ux%u %.4s row %u bytes %u colours %u %u", side == CAPTURE ? "capture" : "output", format->width,
         format->height, (const char *)&format->pixelformat, plane->bytesperline, plane->sizeimage,
         format->colorspace, format->quantization);
    return 0;
}

static int describe(struct v4l2_fmtdesc *format) {
    static const uint32_t RAW[] = {V4L2_PIX_FMT_YUV420, V4L2_PIX_FMT_NV12};
    int is_capture = format->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
    if (format->index > (is_capture ? 0u : 1u)) return refuse(EINVAL);
    format->pixelformat = RAW[format->index];
    if (is_capture) format->pixelformat = has_fault("foreign") ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_H264;
    return 0;
}

static int crop(struct context *context, struct v4l2_selection *selection) {
    if (selection->type != V4L2_BUF_TYPE_VIDEO_OUTPUT || selection->target != V4L2_SEL_TGT_CROP) return refuse(EINVAL);
    selection->r.left = selection->r.top = 0;
    selection->r.width = at_most(selection->r.width, context->crop.width);
    selection->r.height = at_most(selection->r.height, context->crop.height);
    context->crop = selection->r;
    tell("crop %ux%u", selection->r.width, selection->r.height);
    return 0;
}

static int set_control(struct context *context, const struct v4l2_control *wanted) {
    struct control *control = control_of(context, wanted->id);
    if (!control) return refuse(EINVAL);
    if (control->id == V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME) {
        context->key_is_wanted = 1;
    } else if (wanted->value < control->minimum || wanted->value > control->maximum) {
        return refuse(ERANGE);
    }
    control->value = wanted->value;
    tell("%s %d", control->name, control->value);
    return 0;
}

static int answer(struct context *context, unsigned long request, void *argument) {
    /* The first field of all that have one. */
    uint32_t type = request == VIDIOC_QUERYBUF || request == VIDIOC_QBUF || request == VIDIOC_DQBUF
                        ? ((struct v4l2_buffer *)argument)->type
                    : request == VIDIOC_REQBUFS ? ((struct v4l2_requestbuffers *)argument)->type
                                                : *(uint32_t *)argument;
    unsigned side = type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE ? OUTPUT : CAPTURE;
    int has_side = side == OUTPUT || type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
    if (has_fault("gone")) return refuse(ENODEV);
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *capability = argument;
        *capability = (struct v4l2_capability){.driver = "bcm2835-codec", .card = "bcm2835-codec-encode"};
        capability->device_caps = V4L2_CAP_VIDEO_M2M_MPLANE | V4L2_CAP_STREAMING;
        capability->capabilities = capability->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_ENUM_FMT: return describe(argument);
    case VIDIOC_S_SELECTION: return crop(context, argument);
    case VIDIOC_S_CTRL: return set_control(context, argument);
    case VIDIOC_QUERYCTRL: {
        struct v4l2_queryctrl *query = argument;
        const struct control *control = control_of(context, query->id);
        if (!control) return refuse(EINVAL);
        query->minimum = control->minimum;
        query->maximum = control->maximum;
        return 0;
    }
    case VIDIOC_S_PARM: {
        const struct v4l2_streamparm *parameters = argument;
        const struct v4l2_fract *interval = &parameters->parm.output.timeperframe;
        if (side != OUTPUT || interval->numerator == 0) return refuse(EINVAL);
        tell("rate %u", interval->denominator / interval->numerator);
        return 0;
    }
    }
    if (!has_side) return refuse(EINVAL);
    switch (request) {
    case VIDIOC_S_FMT: return set_format(context, side, &((struct v4l2_format *)argument)->fmt.pix_mp);
    case VIDIOC_REQBUFS: return request_buffers(&context->queues[side], argument);
    case VIDIOC_QUERYBUF: return query_buffer(context, side, argument);
    case VIDIOC_QBUF: return enqueue(context, side, argument);
    case VIDIOC_DQBUF: return dequeue(context, side, argument);
    case VIDIOC_STREAMON: return stream(context, side, 1);
    case VIDIOC_STREAMOFF: return stream(context, side, 0);
    default: return refuse(ENOTTY);
    }
}

/* What a program calls. */

/* Rust's library calls it by this name. */
int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (!is_node(path)) return NEXT(open64)(path, flags, mode);
    pthread_mutex_lock(&lock);
    int fd = open_encoder();
    pthread_mutex_unlock(&lock);
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open64(path, flags, mode);
}

int close(int fd) {
    pthread_mutex_lock(&lock);
    struct context *context = find(fd);
    if (context) {
        munmap(context->memory, 2 * BUFFERS * (size_t)BUFFER_BYTES);
        context->fd = 0;
        tell("close");
    }
    pthread_mutex_unlock(&lock);
    return NEXT(close)(fd);
}

static short ready(int fd, short events) {
    pthread_mutex_lock(&lock);
    struct context *context = find(fd);
    short got = 0;
    if (has_fault("gone")) {
        got = POLLERR | POLLHUP;
    } else if (context) {
        if (events & POLLIN && context->queues[CAPTURE].done_count) got |= POLLIN;
        if (events & POLLOUT && context->queues[OUTPUT].done_count) got |= POLLOUT;
    }
    pthread_mutex_unlock(&lock);
    return got;
}

/* Who waits for the device waits for nothing else. */
int poll(struct pollfd *descriptors, nfds_t count, int timeout_ms) {
    if (count != 1 || !find(descriptors[0].fd)) return NEXT(poll)(descriptors, count, timeout_ms);
    struct timespec a_little = {0, 1000000};
    while (!(descriptors[0].revents = ready(descriptors[0].fd, descriptors[0].events)) && timeout_ms-- > 0)
        nanosleep(&a_little, NULL);
    return descriptors[0].revents != 0;
}

int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    pthread_mutex_lock(&lock);
    struct context *context = find(fd);
    int result = context ? answer(context, request, argument) : 0, error = errno;
    pthread_mutex_unlock(&lock);
    if (!context) return NEXT(ioctl)(fd, request, argument);
    errno = error;
    return result;
}
