package telemetryweb

import (
	"bytes"

	"plateau/hj212"
	"plateau/internal/telemetry/store"
)

// keyOf is the key, of those a logger has or had, that opens an encrypted frame;
// nil when the frame is plain, or none does.
func (c *call) keyOf(f *store.StoredFrame) []byte {
	if !f.Sealed {
		return nil
	}
	var keys [][]byte
	if d := c.snap.Devices[f.MN]; d != nil {
		keys = append(keys, d.Keys...)
	}
	for i := range c.snap.Past {
		if d := &c.snap.Past[i]; d.MN == f.MN {
			keys = append(keys, d.Keys...)
		}
	}
	for _, key := range keys {
		if hj212.DecodeLine(f.Raw, hj212.DecodeOptions{Key: key}).Encrypted {
			return key
		}
	}
	return nil
}

// opened is a frame with its data decrypted, length and CRC as they came; key
// nil leaves it as it is.
func opened(raw, key []byte) []byte {
	const head, crc = 6, 4
	raw = bytes.TrimRight(raw, "\r\n")
	if key == nil || len(raw) < head+crc {
		return raw
	}
	end := len(raw) - crc
	plain, err := hj212.DecryptCP(raw[head:end], key)
	if err != nil {
		return raw
	}
	return bytes.Join([][]byte{raw[:head], plain, raw[end:]}, nil)
}
