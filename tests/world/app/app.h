/* What the parts of the app share. */
#ifndef APP_H
#define APP_H

#include <stddef.h>
#include <sys/types.h>

/* Sends all of it, or as much as the peer takes. */
void send_all(int fd, const char *data, size_t length);

/* Waits until something can be read from fd: 1. 0 when nothing is there and the app is asked to stop. */
int wait_readable(int fd);

/* Answers a handshake whose request asked with this key, then sends back every message until the peer closes. */
void websocket(int fd, const char *key, const char *rest, size_t length);

#endif
