package errs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"plateau/internal/platform/errs"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk on fire")
	tests := []struct {
		name string
		err  error
		want errs.Kind
	}{
		{"plain error is internal", cause, errs.Internal},
		{"classified", errs.New(errs.NotFound, "err.not_found"), errs.NotFound},
		{"classified below a wrap", fmt.Errorf("load: %w", errs.New(errs.Conflict, "k")), errs.Conflict},
		{"outermost wins", errs.Wrap(errs.New(errs.NotFound, "a"), errs.Invalid, "b"), errs.Invalid},
		{"unknown kind number", errs.New(errs.Kind(200), "a"), errs.Kind(200)},
	}
	for _, tt := range tests {
		if got := errs.KindOf(tt.err); got != tt.want {
			t.Errorf("%s: kind %v, want %v", tt.name, got, tt.want)
		}
	}
	if errs.Is(nil, errs.Internal) {
		t.Error("nil is of no kind, not even Internal")
	}
	if errs.Wrap(nil, errs.Busy, "x") != nil {
		t.Error("Wrap(nil) must stay nil")
	}
	if !errors.Is(errs.Wrap(cause, errs.Busy, "x"), cause) {
		t.Error("the cause is lost")
	}
	if got := errs.Kind(200).String(); got != "internal" {
		t.Errorf("unknown kind prints %q", got)
	}
}

func TestChecksTellEveryField(t *testing.T) {
	t.Parallel()
	var c errs.Checks
	if c.Err() != nil {
		t.Fatal("no fault, but an error")
	}
	c.Require(true, "fine", "err.field.required")
	c.Require(false, "lon", "err.field.between", "lo", -180, "hi", 180)
	c.Add("name", "err.field.required")
	err := c.Err()
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Kind != errs.Invalid || len(e.Fields) != 2 {
		t.Fatalf("got %#v", err)
	}
	want := "invalid err.invalid: lon err.field.between lo=-180 hi=180, name err.field.required"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestRenamed(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("save: %w", errs.InvalidField("to", "err.field.date"))
	got, ok := errors.AsType[*errs.Error](errs.Renamed(err, func(name string) string { return "end_" + name }))
	if !ok || got.Fields[0].Name != "end_to" || got.Fields[0].Key != "err.field.date" {
		t.Errorf("got %v", got)
	}
	if was, _ := errors.AsType[*errs.Error](err); was.Fields[0].Name != "to" {
		t.Error("the error itself was changed")
	}
	if cause := errors.New("disk on fire"); !errors.Is(errs.Renamed(cause, strings.ToUpper), cause) || errs.Renamed(nil, strings.ToUpper) != nil {
		t.Error("an error about no field did not stay")
	}
}
