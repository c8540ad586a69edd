// Package kit is what the pages of every module have in common: the list of their
// addresses with what opens them, the detour of who must sign in or prove who they
// are first, the bound of forms, and what a page shows beside its own content.
//
// It knows no module and decides nothing: who holds a permission says the policy,
// what may be saved says the module. It refuses at start a route that does not say
// what opens it.
//
// # Writing a module of pages
//
// A module has a handler, a call of its own around Call, and one list of addresses:
//
//	type call struct{ *kit.Call }
//
//	func routes() []kit.Route[*Handler, *call] {
//		return []kit.Route[*Handler, *call]{
//			kit.Get("/notes", "platform.notes", (*Handler).notes),
//			kit.Get("/notes/new", "platform.write", (*Handler).newNote),
//			kit.Post("/notes/new", "platform.write", (*Handler).addNote),
//			kit.Post("/notes/{id}/erase", "platform.write", (*Handler).erase).Fresh(),
//		}
//	}
//
//	func Routes() []access.Route { return kit.Declared(routes()) } // for internal/app/routes.go
//
//	func (h *Handler) Register(mux *http.ServeMux) {
//		m := kit.Module{Engine: h.Engine, Words: "notes", Links: h.Links, Now: h.Now}
//		kit.Register(mux, m, h, routes(), func(c *kit.Call) *call { return &call{c} })
//	}
//
// The permission opens the address; for which objects, the handler asks. One
// function shows a form, also when it comes back with what was wrong:
//
//	func (h *Handler) newNote(c *call) error { return h.noteForm(c, nil) }
//
//	func (h *Handler) noteForm(c *call, wrong error) error {
//		v := &noteView{Fields: []web.Field{c.Field("text", c.Form("text"), false)}} // notes.field_text, notes.hint_text
//		p := &web.Page{Title: c.L.T("notes.new"), Crumbs: c.Crumbs("notes.title", "/notes"), Data: v}
//		status, err := c.Faults(wrong, p, kit.Pointers(v.Fields)...)
//		if err != nil {
//			return err // about no field: the problem page
//		}
//		return c.Render(status, "note_form.html", p)
//	}
//
//	func (h *Handler) addNote(c *call) error {
//		if err := h.Notes.Add(c.Ctx(), c.Who, c.Form("text")); err != nil {
//			return h.noteForm(c, err)
//		}
//		return c.Done("/notes", "note_added") // the list says done.note_added
//	}
//
// Templates are written as package web says.
package kit
