package config

import (
	"encoding"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strconv"
	"strings"

	"plateau/internal/platform/near"
)

// setting is one leaf of the struct, found by its TOML names, so that a new
// field has its key and its variable without further work.
type setting struct {
	key   string
	value reflect.Value
}

func (s setting) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// set reads text into the field.
func (s setting) set(text string) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](s.value.Addr()); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch s.value.Kind() {
	case reflect.String:
		s.value.SetString(text)
	case reflect.Bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		s.value.SetBool(v)
	case reflect.Int:
		v, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		s.value.SetInt(int64(v))
	default:
		panic("config: no reading for " + s.value.Type().String())
	}
	return nil
}

// text writes the field as TOML.
func (s setting) text() string {
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](s.value); ok {
		b, err := m.MarshalText()
		if err == nil {
			return strconv.Quote(string(b))
		}
	}
	if s.value.Kind() == reflect.String {
		return strconv.Quote(s.value.String())
	}
	return fmt.Sprint(s.value.Interface())
}

func (c *Config) settings() []setting {
	var all []setting
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			key := prefix + v.Type().Field(i).Tag.Get("toml")
			f := v.Field(i)
			if f.Kind() == reflect.Struct {
				walk(key+".", f)
				continue
			}
			all = append(all, setting{key, f})
		}
	}
	walk("", reflect.ValueOf(c).Elem())
	return all
}

func (c *Config) setting(key string) *setting {
	for _, s := range c.settings() {
		if s.key == key {
			return &s
		}
	}
	return nil
}

// nearest returns the known key that a misspelt one most likely stands for.
func (c *Config) nearest(key string) string {
	var known []string
	for _, s := range c.settings() {
		known = append(known, s.key)
	}
	return near.Of(key, known)
}

// Print writes the effective settings as a TOML file without secrets, each with
// its variable.
func (c Config) Print(w io.Writer) error {
	r := c.redacted()
	var b strings.Builder
	section := ""
	for _, s := range r.settings() {
		name := s.key
		if sec, key, ok := strings.Cut(s.key, "."); ok {
			if sec != section {
				fmt.Fprintf(&b, "\n[%s]\n", sec)
				section = sec
			}
			name = key
		}
		fmt.Fprintf(&b, "%s = %s # %s\n", name, s.text(), s.env())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// LogValue implements slog.LogValuer, so that a logged Config shows no secret.
func (c Config) LogValue() slog.Value {
	r := c.redacted()
	var attrs []slog.Attr
	for _, s := range r.settings() {
		attrs = append(attrs, slog.Any(strings.ReplaceAll(s.key, ".", "_"), s.value.Interface()))
	}
	return slog.GroupValue(attrs...)
}
