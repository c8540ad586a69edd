package telemetryweb

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"plateau/hj212"
	"plateau/internal/platform/errs"
	"plateau/internal/web"
)

// maxImport bounds a list that is sent; a hundred thousand outlets fit.
const maxImport = 32 << 20

// largeText is from where on a list is carried along out of sight: a browser
// gets slow with more in a box than anybody would edit there.
const largeText = 256 << 10

// registryImportView is the import of a list: first looked through, then saved.
type registryImportView struct {
	Kind   string
	File   web.Field
	Text   web.Field
	Kept   string // a large list that was sent, carried along unseen
	Size   int    // its rows
	Report *ImportReport
	Errors []rowLine
	More   int // faults beyond those shown
	Areas  []areaNews
	Save   int // rows that the button saves: looked through without a fault
	Action string
	Sample string // address of the present list, whose columns are the pattern
}

// areaNews is what a list of areas changes.
type areaNews struct {
	Row        int
	What, Code string
	Name, Was  word
	From, To   string
}

type rowLine struct {
	Row          int
	Column, Text string
}

func (h *Handler) registryImport(c *call) error {
	kind := c.r.PathValue("kind")
	if !slices.Contains(importedKinds, kind) {
		return notFound()
	}
	if h.Editor == nil {
		return readOnly()
	}
	if err := c.must(EditList, nil); err != nil { // a list may name any outlet
		return err
	}
	v := &registryImportView{
		Kind: kind, Action: c.path("/registry/" + kind + "/import"), Sample: c.path("/registry/" + kind + ".csv"),
		File: web.Field{Name: "file", Kind: "file", Label: c.l.T("registry.import_file"), Hint: c.l.T("registry.import_hint", "megabytes", maxImport>>20), Accept: ".csv,.txt,text/csv"},
		Text: web.Field{Name: "text", Kind: "textarea", Rows: 8, Label: c.l.T("registry.import_text")},
	}
	if c.r.Method != http.MethodPost {
		return h.importPage(c, http.StatusOK, v, nil)
	}
	wrong := func(text string) error {
		v.Text.Error = text
		return h.importPage(c, http.StatusUnprocessableEntity, v, []web.FieldError{{Field: "text", Text: text}})
	}
	text, err := uploaded(c.r)
	if e, ok := errors.AsType[*errs.Error](err); ok {
		return wrong(c.l.T(e.Key))
	}
	if err != nil {
		return err
	}
	if v.Text.Value = text; len(text) > largeText {
		v.Text.Value, v.Kept, v.Size = "", text, strings.Count(text, "\n")
	}
	if strings.TrimSpace(text) == "" {
		return wrong(c.l.T("registry.import_empty"))
	}
	dry := c.r.PostFormValue("save") == ""
	report, err := h.Editor.Import(c.ctx(), kind, strings.NewReader(text), dry, c.actor.Post)
	if e, ok := errors.AsType[*errs.Error](err); ok && e.Kind == errs.Invalid {
		return wrong(c.fieldErrors(e)[0].Text)
	}
	if err != nil {
		return err
	}
	v.Report, v.More = &report, report.More
	for _, n := range report.Areas {
		line := areaNews{Row: n.Row, What: c.l.T("registry.area_" + n.What), Code: n.Area.Code, Name: c.name(n.Area.Name), From: n.Area.From, To: n.Area.To}
		if n.Was.Zh != "" {
			line.Was = c.name(n.Was)
		}
		v.Areas = append(v.Areas, line)
	}
	for _, e := range report.Errors {
		v.Errors = append(v.Errors, rowLine{e.Row, e.Column, c.l.T(e.Key, e.Args...)})
	}
	if n := len(v.Errors) + v.More; n > 0 {
		return wrong(c.l.T("registry.import_errors", "n", n))
	}
	if report.Rows == 0 {
		return wrong(c.l.T("registry.import_no_rows"))
	}
	if !dry {
		return c.done("/registry/"+kind, "imported", "n", report.Added+report.Changed, "added", report.Added, "changed", report.Changed)
	}
	v.Save = report.Added + report.Changed
	return h.importPage(c, http.StatusOK, v, nil)
}

func (h *Handler) importPage(c *call, status int, v *registryImportView, problems []web.FieldError) error {
	return h.render(c, status, "registry_import.html", &web.Page{
		Title: c.l.T("registry.import_title", "list", c.l.T("registry."+v.Kind)), Module: "registry", Crumbs: registryCrumbs(c, v.Kind), Errors: problems, Data: v,
	})
}

// uploaded is the list sent: a file, what was pasted, or what an earlier look
// kept. Spreadsheets save in UTF-8 with a mark or in GBK; both are read.
func uploaded(r *http.Request) (string, error) {
	raw := []byte(r.PostFormValue("text"))
	if len(strings.TrimSpace(string(raw))) == 0 {
		raw = []byte(r.PostFormValue("kept"))
	}
	if r.MultipartForm != nil {
		if files := r.MultipartForm.File["file"]; len(files) > 0 && files[0].Size > 0 {
			f, err := files[0].Open()
			if err != nil {
				return "", fmt.Errorf("open upload: %w", err)
			}
			defer f.Close()
			if raw, err = io.ReadAll(f); err != nil {
				return "", fmt.Errorf("read upload: %w", err)
			}
		}
	}
	text, ok := hj212.TextOK(raw)
	if !ok {
		return "", errs.New(errs.Malformed, "registry.import_encoding")
	}
	return strings.TrimPrefix(text, "\ufeff"), nil
}
