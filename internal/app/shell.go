package app

import (
	"context"
	"net"
	"os/user"
	"strconv"

	"plateau/internal/platform/audit"
)

// withShell marks ctx as that of a command given in this process, for the record.
func withShell(ctx context.Context) context.Context {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return audit.WithShell(ctx, name)
}

// withPeer marks the requests of a connection to the socket as those of the user
// whom the system says to be at its other end: what a command says of itself would
// be worth nothing in the record.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	name := "unknown"
	if uid, ok := peer(c); ok {
		name = strconv.Itoa(uid)
		if u, err := user.LookupId(name); err == nil {
			name = u.Username
		}
	}
	return audit.WithShell(ctx, name)
}
