package mqtt

import (
	"errors"
	"io"
	"net"

	"github.com/gorilla/websocket"
)

var errText = errors.New("mqtt: over WebSocket packets come in binary messages")

// wsConn makes a stream of bytes of the messages of a WebSocket (MQTT 3.1.1,
// section 6): packets may be split over messages in any way.
type wsConn struct {
	net.Conn
	ws *websocket.Conn
	r  io.Reader
}

// Read implements net.Conn.
func (c *wsConn) Read(p []byte) (int, error) {
	for {
		if c.r == nil {
			kind, r, err := c.ws.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errText
			}
			c.r = r
		}
		n, err := c.r.Read(p)
		if errors.Is(err, io.EOF) {
			c.r, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write implements net.Conn.
func (c *wsConn) Write(p []byte) (int, error) {
	if err := c.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close implements net.Conn.
func (c *wsConn) Close() error { return c.Conn.Close() }
