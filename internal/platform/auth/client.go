package auth

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Client is where a request comes from, as a person recognises it in the list of
// own sessions. It is kept with the session and goes with it.
type Client struct {
	Address string // without the port
	Browser string // family of the browser, such as Firefox; "" = unknown
}

// Client returns where a request comes from.
func (s *Service) Client(r *http.Request) Client {
	return Client{Address: s.peer(r), Browser: browser(r.UserAgent())}
}

// peer is the address a request came from. A forwarding header can be sent by
// anybody; it is read from its end as far as those who wrote it are proxies of
// the installation.
func (s *Service) peer(r *http.Request) string {
	address := r.RemoteAddr
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.proxy(address); i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = a.Unmap().String()
	}
	return address
}

func (s *Service) proxy(address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	for _, p := range s.proxies {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// families are the marks of browsers in the order in which they tell them apart:
// most browsers also name the one that they descend from.
var families = []struct{ mark, name string }{
	{"MicroMessenger/", "WeChat"},
	{"QQBrowser/", "QQ Browser"},
	{"Edg/", "Edge"},
	{"EdgA/", "Edge"},
	{"OPR/", "Opera"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Firefox/", "Firefox"},
	{"FxiOS/", "Firefox"},
	{"CriOS/", "Chrome"},
	{"HeadlessChrome/", "Chrome"},
	{"Chrome/", "Chrome"},
	{"Safari/", "Safari"},
}

// browser is the family of a browser, by its User-Agent. Version and device are
// left out: nobody needs them to recognise an own session.
func browser(agent string) string {
	for _, f := range families {
		if strings.Contains(agent, f.mark) {
			return f.name
		}
	}
	return ""
}
