package accountweb

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/personal"
	"plateau/internal/web"
)

// dataRoutes give people a copy of what is held on them.
func dataRoutes() []route {
	return []route{
		{"GET", "/account/data", signedIn, (*Handler).data},
		{"GET", "/account/data.json", fresh, (*Handler).dataJSON},
	}
}

// heldAct is an act in the record that one did, or that others did to one's data:
// those by post.
type heldAct struct {
	At         time.Time       `json:"at"`
	Post       string          `json:"post"`
	Own        bool            `json:"own"`
	Act        string          `json:"act"`
	Kind       string          `json:"kind,omitempty"`
	Ref        string          `json:"ref,omitempty"`
	Address    string          `json:"address,omitempty"` // one's own only
	Detail     json.RawMessage `json:"detail,omitempty"`  // one's own only
	Why        string          `json:"why,omitempty"`
	Reference  string          `json:"reference,omitempty"`
	OnBehalfOf bool            `json:"on_behalf_of_another,omitempty"`
}

// heldCopy is all that is held on a person.
type heldCopy struct {
	Account string          `json:"account"`
	AsOf    time.Time       `json:"as_of"`
	Tables  []personal.Rows `json:"tables"`
	Record  []heldAct       `json:"record"`
}

// copyOf reads the copy of who asks. Of the record it has what they did and what
// others did with their data; not whom they looked at, whose data that is.
func (h *Handler) copyOf(c *call) (*heldCopy, error) {
	out := &heldCopy{Account: c.Who.ID, AsOf: c.Now.UTC(), Record: []heldAct{}}
	var err error
	if out.Tables, err = personal.Default().Copy(c.Ctx(), h.DB, c.Who.ID); err != nil {
		return nil, err
	}
	for _, f := range []audit.Filter{{Who: c.Who.ID}, {Subject: c.Who.ID, Others: true}} {
		if err := audit.List(c.Ctx(), h.DB, f, func(e *audit.Entry) bool {
			r := e.Reason()
			a := heldAct{At: e.At, Post: e.Post, Own: e.Who == c.Who.ID, Act: e.Act, Kind: e.Kind, Why: r.Why, Reference: r.Reference, OnBehalfOf: e.OnBehalfOf != ""}
			if a.Own || e.Ref == c.Who.ID {
				a.Ref = e.Ref
			}
			if a.Own {
				a.Address = e.Address
				if json.Valid([]byte(e.Detail)) {
					a.Detail = json.RawMessage(e.Detail)
				}
			}
			out.Record = append(out.Record, a)
			return true
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// heldTable is a table of the copy as the page shows it.
type heldTable struct {
	personal.Rows
	Name string // of its kind
	More int    // rows that only the file has
}

// heldShown bounds the rows of a table on the page.
const heldShown = 20

type dataView struct {
	Tabs   []web.Tab
	Tables []heldTable
	Empty  []string // names of kinds of which nothing is held
	Acts   []recordRow
	More   int
	Asked  []auth.Correction
	Text   web.Field
}

func (h *Handler) data(c *call) error { return h.dataPage(c, nil) }

// dataPage shows the copy; wrong is about a request for correction that was sent.
func (h *Handler) dataPage(c *call, wrong error) error {
	all, err := h.copyOf(c)
	if err != nil {
		return err
	}
	v := &dataView{Tabs: c.tabs("data"), Text: web.Field{Name: "text", Kind: "textarea", Rows: 4, Label: c.L.T("held.correct_text"), Hint: c.L.T("held.correct_hint")}}
	if v.Asked, err = h.Auth.Corrections(c.Ctx(), c.Who.ID); err != nil {
		return err
	}
	p := &web.Page{Title: c.L.T("held.title"), Crumbs: c.crumbs(), Data: v}
	status := http.StatusOK
	if wrong != nil {
		v.Text.Value = c.form("text")
		if status, err = c.faults(wrong, p, &v.Text); err != nil {
			return err
		}
	}
	for _, t := range all.Tables {
		kind, _ := personal.Default().Of(t.Table, t.By)
		x := heldTable{Rows: t, Name: c.L.T("personal." + kind)}
		if len(t.Rows) == 0 {
			if !slices.Contains(v.Empty, x.Name) {
				v.Empty = append(v.Empty, x.Name)
			}
			continue
		}
		if n := len(t.Rows); n > heldShown {
			x.Rows.Rows, x.More = t.Rows[:heldShown], n-heldShown
		}
		v.Tables = append(v.Tables, x)
	}
	for _, a := range all.Record[:min(heldShown, len(all.Record))] {
		v.Acts = append(v.Acts, recordRow{audit.Entry{At: a.At, Post: a.Post, Kind: a.Kind, Ref: a.Ref, Address: a.Address}, c.did(a.Act), ""})
	}
	v.More = len(all.Record) - len(v.Acts)
	return c.Render(status, "account_data.html", p)
}

func (h *Handler) dataJSON(c *call) error {
	all, err := h.copyOf(c)
	if err != nil {
		return err
	}
	body, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	return c.file("data", "json", "application/json", body)
}
