"""nginx, as people have it before a camera."""

from harness.http import wait_listening


def start_nginx(start, directory, http, port=80):
    """Starts it with what stands in its section `http`; gives the program with its `url`."""
    path = directory / "nginx.conf"
    path.write_text(
        f"daemon off; pid {directory}/nginx.pid; error_log stderr; user root;\n"
        f"events {{}}\nhttp {{ access_log off;\n{http}\n}}\n"
    )
    program = start("/usr/sbin/nginx", "-c", path)
    program.url = f"http://127.0.0.1:{port}"
    wait_listening(program.url)
    return program
