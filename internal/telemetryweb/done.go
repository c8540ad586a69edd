package telemetryweb

import "plateau/internal/web"

// done sends the reader on after a change; the page behind says once, in the
// words of the key "done."+key, what was done.
func (c *call) done(path, key string, args ...any) error {
	web.SetDone(c.w, key, args...)
	return c.see(path)
}
