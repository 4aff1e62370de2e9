# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a server listens."""

from __future__ import annotations

import ipaddress
import socket

from livevlm_ros.replay.errors import BadInput


def listen(host: str, port: int) -> socket.socket:
    """
    Return a socket that listens.

    :param host: name or address of this machine
    :param port: 0: any that is free
    :raises BadInput: when there is no such address, or its port is in use
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise BadInput(
            f'--host {host} --port {port}: {error.strerror or error}; expected an address of this '
            'machine and a port that is free'
        ) from error
    return listener


def is_local(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    if host == 'localhost':
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
