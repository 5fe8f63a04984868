// What a frame costs to send to many clients in different ways. The receiver is another process, in another network
// namespace; bench/sending makes both. Build: cc -O2 -pthread sending.c -luring
//
//   sending receive ADDRESS PORT CLIENTS       takes all that comes, and looks at none of it
//   sending WAY PORT CLIENTS FPS SECONDS       sends frames to so many clients, and prints what that cost
//
// WAY: send (one send(2) for each client), zerocopy (the same with MSG_ZEROCOPY, its notifications read), uring (one
// io_uring submission for all clients), threads (send, by two threads with half of the clients each).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <linux/errqueue.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_BYTES = 30000, MOST_CLIENTS = 4096 };

static char frame[FRAME_BYTES];
static int sockets[MOST_CLIENTS];

static void fail(const char *what) { perror(what); exit(1); }

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static struct sockaddr_in address_of(const char *host, const char *port) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
    inet_pton(AF_INET, host, &address.sin_addr);
    return address;
}

static void receive(const char *host, const char *port, int clients) {
    struct sockaddr_in address = address_of(host, port);
    int epoll = epoll_create1(0);
    for (int client = 0; client < clients; client++) {
        int socket_ = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(socket_, (void *)&address, sizeof address) < 0) fail("connect");
        struct epoll_event event = { .events = EPOLLIN, .data.fd = socket_ };
        epoll_ctl(epoll, EPOLL_CTL_ADD, socket_, &event);
    }
    struct epoll_event events[256];
    for (int open = clients; open > 0;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            if (recv(events[i].data.fd, NULL, 1 << 20, MSG_TRUNC | MSG_DONTWAIT) == 0) {
                close(events[i].data.fd);
                open--;
            }
        }
    }
}

static void accept_all(const char *port, int clients, int zerocopy) {
    struct sockaddr_in address = address_of("0.0.0.0", port);
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (void *)&address, sizeof address) < 0) fail("bind");
    listen(listener, MOST_CLIENTS);
    puts("listening");
    fflush(stdout);
    for (int client = 0; client < clients; client++) {
        int socket_ = accept(listener, NULL, NULL);
        if (socket_ < 0) fail("accept");
        setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (zerocopy && setsockopt(socket_, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) < 0) fail("SO_ZEROCOPY");
        sockets[client] = socket_;
    }
}

struct share { int first, last, flags; long whole, part; };

static void send_share(struct share *share) {
    for (int client = share->first; client < share->last; client++) {
        ssize_t sent = send(sockets[client], frame, FRAME_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL | share->flags);
        if (sent == FRAME_BYTES) share->whole++;
        else share->part++;
    }
}

static long copied, notified;

// Reads what the kernel says of frames it needs no longer.
static void read_notifications(int clients) {
    char control[128];
    for (int client = 0; client < clients; client++) {
        struct msghdr message = { .msg_control = control, .msg_controllen = sizeof control };
        while (recvmsg(sockets[client], &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
            struct cmsghdr *header = CMSG_FIRSTHDR(&message);
            if (header) {
                struct sock_extended_err *error = (void *)CMSG_DATA(header);
                notified += error->ee_data - error->ee_info + 1;
                if (error->ee_code & SO_EE_CODE_ZEROCOPY_COPIED) copied += error->ee_data - error->ee_info + 1;
            }
            message.msg_controllen = sizeof control;
        }
    }
}

static pthread_barrier_t begin, end;

static void *other_thread(void *share) {
    for (;;) {
        pthread_barrier_wait(&begin);
        send_share(share);
        pthread_barrier_wait(&end);
    }
    return NULL;
}

int main(int count, char **arguments) {
    if (count == 5 && !strcmp(arguments[1], "receive")) {
        receive(arguments[2], arguments[3], atoi(arguments[4]));
        return 0;
    }
    if (count != 6) { fputs("use as the head of sending.c says\n", stderr); return 2; }
    const char *way = arguments[1];
    int clients = atoi(arguments[3]), fps = atoi(arguments[4]), time_s = atoi(arguments[5]);
    int zerocopy = !strcmp(way, "zerocopy"), uring = !strcmp(way, "uring"), threads = !strcmp(way, "threads");
    if (clients > MOST_CLIENTS) { fputs("too many clients\n", stderr); return 2; }
    accept_all(arguments[2], clients, zerocopy);
    struct share mine = { 0, clients, zerocopy ? MSG_ZEROCOPY : 0, 0, 0 }, others = { 0 };
    struct io_uring ring;
    if (uring && io_uring_queue_init(MOST_CLIENTS, &ring, 0) < 0) { puts("io_uring is not permitted here"); return 1; }
    if (threads) {
        pthread_t thread;
        mine.last = others.first = clients / 2;
        others.last = clients;
        pthread_barrier_init(&begin, NULL, 2);
        pthread_barrier_init(&end, NULL, 2);
        pthread_create(&thread, NULL, other_thread, &others);
    }
    double start = seconds(CLOCK_MONOTONIC), cpu = 0, busy = 0;
    int ticks = fps * (time_s + 1), warm = fps;
    for (int tick = 0; tick < ticks; tick++) {
        double due = start + (double)tick / fps, wait = due - seconds(CLOCK_MONOTONIC);
        if (wait > 0) usleep(wait * 1e6);
        if (tick == warm) { cpu = cpu_seconds(); mine.whole = mine.part = others.whole = others.part = 0; busy = 0; }
        memset(frame, tick, 64); // a frame is another one each time
        double began = seconds(CLOCK_MONOTONIC);
        if (uring) {
            for (int client = 0; client < clients; client++) {
                struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
                io_uring_prep_send(entry, sockets[client], frame, FRAME_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL);
            }
            io_uring_submit_and_wait(&ring, clients);
            for (int client = 0; client < clients; client++) {
                struct io_uring_cqe *done;
                io_uring_wait_cqe(&ring, &done);
                if (done->res == FRAME_BYTES) mine.whole++;
                else mine.part++;
                io_uring_cqe_seen(&ring, done);
            }
        } else if (threads) {
            pthread_barrier_wait(&begin);
            send_share(&mine);
            pthread_barrier_wait(&end);
        } else {
            send_share(&mine);
            if (zerocopy) read_notifications(clients);
        }
        busy += seconds(CLOCK_MONOTONIC) - began;
    }
    long whole = mine.whole + others.whole, part = mine.part + others.part;
    printf("%s clients %d: %.1f us of CPU a frame, %.1f ms to send one to all, %ld sent, %ld not taken whole", way, clients,
           (cpu_seconds() - cpu) * 1e6 / whole, busy * 1e3 / (fps * time_s), whole, part);
    if (zerocopy) printf(", %ld of %ld copied all the same", copied, notified);
    puts("");
    return 0;
}
