package publicweb

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/web"
)

// dictionaryPath is the page of the data, dictionaryPath+".json" the same for
// programs.
const dictionaryPath = Home + "/data"

// metadataSuffix is how tables on the web name the file that describes another
// (W3C Tabular Data, section 5.3), so that programs find it by themselves.
const metadataSuffix = "-metadata.json"

// columnWords is a column in words.
type columnWords struct {
	Name, Type, Unit, Title, Text string
	Null                          bool
}

func (c *call) columnWords() (out []columnWords) {
	for _, col := range columns() {
		w := columnWords{Name: col.Name, Type: col.Type, Null: col.Null, Title: c.l.T("public.field." + col.Name), Text: c.l.T("public.field_text." + col.Name)}
		switch col.Unit {
		case "":
		case "unit":
			w.Unit = c.l.T("public.data.unit_of_row")
		default:
			w.Unit = col.Unit
		}
		out = append(out, w)
	}
	return out
}

type dataView struct {
	Columns             []columnWords
	Licence, LicenceURL string
	Publisher           string
	Levels              []string
	Delay               int // minutes
	Rule                string
	Version             int
	Hash                string
	From                string
	Certainty           string
	Source              word
	JSON                string
}

// data explains what is published, under which terms and in which columns.
func (h *Handler) data(c *call) (*document, error) {
	p := c.policy
	v := &dataView{
		Columns: c.columnWords(), Licence: h.Licence, LicenceURL: h.LicenceURL, Publisher: h.Publisher, Delay: int(p.delay.Minutes()),
		Rule: p.rule.ID, Version: p.rule.Version, Hash: p.rule.Hash, From: p.rule.EffectiveFrom, Certainty: c.l.T("public.certainty." + p.rule.Certainty),
		Source: word{p.rule.SourceZh, "zh"}, JSON: dictionaryPath + ".json",
	}
	if c.lang == i18n.En {
		v.Source = word{p.rule.Source, "en"}
	}
	for _, level := range p.levels {
		v.Levels = append(v.Levels, c.l.T("level."+level))
	}
	crumbs := []web.Crumb{{Text: c.l.T("public.home"), Path: Home}}
	return h.render(c, "public_data.html", &web.Page{Title: c.l.T("public.data.title"), Module: "public_data", Crumbs: crumbs, Data: v})
}

type jsonColumn struct {
	Name        string            `json:"name"`
	Type        string            `json:"type"`
	Unit        string            `json:"unit,omitempty"`
	Required    bool              `json:"required"`
	Title       map[string]string `json:"title"`
	Description map[string]string `json:"description"`
}

func (h *Handler) jsonColumns() (out []jsonColumn) {
	for _, col := range columns() {
		j := jsonColumn{Name: col.Name, Type: col.Type, Unit: col.Unit, Required: !col.Null, Title: map[string]string{}, Description: map[string]string{}}
		for _, lang := range i18n.Langs() {
			l := h.Engine.Localizer(lang)
			j.Title[lang.Tag()], j.Description[lang.Tag()] = l.T("public.field."+col.Name), l.T("public.field_text."+col.Name)
		}
		out = append(out, j)
	}
	return out
}

// dictionary is the page of the data for programs.
func (h *Handler) dictionary(c *call) (*document, error) {
	p := c.policy
	body, err := json.MarshalIndent(map[string]any{
		"licence": map[string]string{"name": h.Licence, "url": h.LicenceURL}, "publisher": h.Publisher, "columns": h.jsonColumns(),
		"rule": map[string]any{
			"id": p.rule.ID, "version": p.rule.Version, "hash": p.rule.Hash, "effective_from": p.rule.EffectiveFrom, "certainty": p.rule.Certainty, "params": p.rule.Params,
		},
		"files": []string{
			FilesPath + "outlet-{id}-{hours|days}-{YYYY-MM}.{csv|parquet}", FilesPath + "outlet-{id}-{hours|days}-{YYYY}.{csv|parquet}",
			FilesPath + "county-{code}-{hours|days}-{YYYY-MM}.{csv|parquet}",
		},
	}, "", " ")
	if err != nil {
		return nil, err
	}
	return newDocument("application/json", "", body), nil
}

// said is a text in a language, as JSON-LD writes it.
type said struct {
	Value string `json:"@value"`
	Lang  string `json:"@language"`
}

func inLangs(texts map[string]string) (out []said) {
	for _, lang := range slices.Sorted(maps.Keys(texts)) {
		out = append(out, said{texts[lang], lang})
	}
	return out
}

// metadata describes a CSV file for programs (W3C CSVW).
func (h *Handler) metadata(w http.ResponseWriter, r *http.Request, name string) error {
	f, ok := parseFile(name)
	if !ok {
		return notFound()
	}
	c, err := h.call(r, nil)
	if err != nil {
		return err
	}
	if _, err := c.outletsOf(f); err != nil {
		return err
	}
	type csvwColumn struct {
		Name        string `json:"name"`
		Titles      string `json:"titles"` // as in the head row
		Datatype    any    `json:"datatype"`
		Required    bool   `json:"required"`
		Title       []said `json:"dc:title"`
		Description []said `json:"dc:description"`
	}
	var cols []csvwColumn
	for _, j := range h.jsonColumns() {
		col := csvwColumn{Name: j.Name, Titles: j.Name, Datatype: j.Type, Required: j.Required, Title: inLangs(j.Title), Description: inLangs(j.Description)}
		if j.Type == "dateTime" {
			col.Datatype = map[string]string{"base": "dateTime", "format": "yyyy-MM-ddTHH:mm:ssXXX"}
		}
		cols = append(cols, col)
	}
	m := map[string]any{
		"@context": "http://www.w3.org/ns/csvw", "url": name, "dialect": map[string]any{"header": true, "encoding": "utf-8"},
		"tableSchema": map[string]any{"columns": cols, "primaryKey": []string{"outlet", "start", "factor"}},
	}
	if h.LicenceURL != "" {
		m["dc:license"] = map[string]string{"@id": h.LicenceURL}
	}
	if h.Publisher != "" {
		m["dc:publisher"] = h.Publisher
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	doc := newDocument("application/csvm+json", "", body)
	w.Header().Set("Cache-Control", maxAge)
	w.Header().Set("Content-Type", doc.kind)
	if httpd.NotModified(w, r, doc.tag) {
		return nil
	}
	_, _ = w.Write(body) // the reader went away: nothing to do about it
	return nil
}
