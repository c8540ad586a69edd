package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// special are the networks that are no part of the public internet or lead into
// one that is not (IANA special-purpose registries of IPv4 and IPv6), besides
// those that netip knows.
var special = func() (out []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

// Public reports whether an address is one of the public internet.
func Public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.Zone() != "" {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// ErrPrivate is why a client refused to connect.
var ErrPrivate = errors.New("the address is of this machine or of a private network")

// Options of a client.
type Options struct {
	Timeout time.Duration // of one request
	Private bool          // addresses of this machine and of private networks may be dialled, too
	Setting string        // that sets Private, for messages
	MaxBody int64         // of an answer in bytes; more is cut off with an error. 0 = any
}

// Dialer makes connections to what is allowed. The check stands behind the
// resolution of names, at the address that is really dialled.
func Dialer(o Options) *net.Dialer {
	return &net.Dialer{Timeout: o.Timeout, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		if o.Private {
			return nil
		}
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("address %s: %w", address, err)
		}
		if !Public(a.Addr()) {
			return fmt.Errorf("%w; %s is off", ErrPrivate, o.Setting)
		}
		return nil
	}}
}

// Client makes a client that follows no redirects, over a Dialer.
func Client(o Options) *http.Client {
	d := Dialer(o)
	var transport http.RoundTripper = &http.Transport{ // no proxy: it would dial in our place, past the check
		DialContext: d.DialContext, TLSHandshakeTimeout: o.Timeout, ResponseHeaderTimeout: o.Timeout, MaxResponseHeaderBytes: 64 << 10,
		MaxConnsPerHost: 8, MaxIdleConns: 64, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}
	if o.MaxBody > 0 {
		transport = &bounded{transport, o.MaxBody}
	}
	return &http.Client{
		Timeout: o.Timeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded cuts long answers off.
type bounded struct {
	next http.RoundTripper
	most int64
}

func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, b.most)
	}
	return resp, err
}
