package caseweb

import (
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"plateau/internal/platform/audit"
)

var attachment = regexp.MustCompile(`name="attachment" value="([0-9a-f]+)"`)

// sent is a file that is chosen in a form.
type sent struct{ name, text string }

// photo is a picture with a comment that a camera wrote beside it.
func photo(t *testing.T, w int) string {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, w, 30)), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()[:2] + "\xff\xfe\x00\x08SECRET" + b.String()[2:]
}

// send sends a form with files, in one request and without a script.
func (r *rig) send(login, target string, files []sent, fields ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := form.WriteField(fields[i], fields[i+1]); err != nil {
			r.t.Fatal(err)
		}
	}
	for _, f := range files {
		w, err := form.CreateFormFile("files", f.name)
		if err == nil {
			_, err = w.Write([]byte(f.text))
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		r.t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(r.t.Context(), http.MethodPost, target, &body)
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Authorization", "Bearer "+r.tokens[login])
	w := httptest.NewRecorder()
	r.edge.ServeHTTP(w, req)
	return w
}

// TestFilesOnThePage: files come with the form of an action, stand in the history as
// copies that tell nothing but the picture, and their originals are given to few, each
// time on record.
func TestFilesOnThePage(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.cases.Files = r.files
		c := r.report()
		at := "/en/cases/" + c.TrackingNo
		r.act("clerk", c.ID, "hand_out", map[string]string{"unit": "water"})
		r.act("water", c.ID, "accept", nil)
		done := at + "/actions/report_done"
		r.page("water", done, `enctype="multipart/form-data"`, `name="files" multiple`, "Photos, recordings, documents")

		// What is not taken is told; what was entered and the rest come back with the form.
		w := r.send("water", done, []sent{{"河.jpg", photo(t, 40)}, {"x.jpg", photo(t, 50)[:200]}, {"y.txt", ""}}, "key", "1", "version", "3", "f_note", "已清理")
		body := w.Body.String()
		if w.Code != http.StatusUnprocessableEntity || strings.Count(body, `name="attachment"`) != 1 {
			t.Fatalf("%d: %.3000s", w.Code, body)
		}
		r.says("refused files", body, "x.jpg cannot be opened as a picture", "y.txt is empty", `href="#files"`, "已清理", "1 files were taken over already")
		first := attachment.FindStringSubmatch(body)[1]
		w = r.send("water", done, []sent{{"", ""}, {"清单.txt", "words"}}, "key", "1", "version", "3", "f_note", "已清理", "attachment", first)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != at {
			t.Fatalf("%d %s: %.2000s", w.Code, w.Header().Get("Location"), w.Body)
		}
		w = r.send("water", at+"/actions/progress", nil, "key", "2", "version", "4", "f_note", strings.Repeat("x", 70_000))
		if w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("too many words: %d", w.Code)
		}

		events, err := r.cases.Events(t.Context(), c.ID)
		if err != nil || len(events[3].Body.Attachments) != 2 {
			t.Fatalf("%+v, %v", events, err)
		}
		picture, list := at+"/files/"+events[3].Body.Attachments[0], at+"/files/"+events[3].Body.Attachments[1]
		r.page("clerk", at, `alt="Photo 河.jpg"`, `src="`+picture+`?size=thumb"`, picture+"?size=original", "清单.txt", "photo · ", list+"?size=original")
		r.page("citizen", at, `alt="Photo 河.jpg"`, "-size=original", "清单.txt")
		looks := func() (n int) {
			t.Helper()
			if err := audit.List(t.Context(), r.db, audit.Filter{Act: "evidence.original", Subject: r.ids["water"]}, func(*audit.Entry) bool { n++; return true }); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for _, x := range []struct {
			who, path string
			status    int
		}{
			{"clerk", picture, 200},
			{"clerk", picture + "?size=thumb", 200},
			{"citizen", picture + "?size=web", 200},
			{"citizen", picture + "?size=original", 403},
			{"citizen", list, 403},
			{"clerk", list + "?size=web", 404},
			{"clerk", picture + "?size=huge", 404},
			{"stranger", picture, 404},
			{"", picture, 401},
			{"clerk", at + "/files/" + strings.Repeat("0", 64), 404},
		} {
			w := r.ask(x.who, http.MethodGet, x.path)
			if w.Code == http.StatusSeeOther && x.status == 401 { // to the sign-in
				continue
			}
			if w.Code != x.status {
				t.Errorf("%s by %s: %d, want %d", x.path, x.who, w.Code, x.status)
			}
			if x.status == 200 && (w.Header().Get("Content-Type") != "image/jpeg" || strings.Contains(w.Body.String(), "SECRET") || w.Header().Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "sandbox")) {
				t.Errorf("%s: %v", x.path, w.Header())
			}
		}
		if n := looks(); n != 0 {
			t.Errorf("%d looks before any", n)
		}
		w = r.ask("clerk", http.MethodGet, picture+"?size=original")
		if w.Code != http.StatusOK || w.Body.String() != photo(t, 40) || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment; filename*=utf-8''%E6%B2%B3.jpg") || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("the original: %d %v", w.Code, w.Header())
		}
		if w := r.ask("clerk", http.MethodGet, list); w.Code != http.StatusOK || w.Body.String() != "words" || w.Header().Get("Content-Type") != "application/octet-stream" {
			t.Errorf("a list: %d %v", w.Code, w.Header())
		}
		r.ask("water", http.MethodGet, list) // one's own is none
		if n := looks(); n != 2 {
			t.Errorf("%d looks, want 2", n)
		}

		// What the reporter brings may tell who it was: not to the unit.
		w = r.send("citizen", at+"/actions/comment", []sent{{"我家.jpg", photo(t, 60)}}, "key", "3", "version", "4", "f_text", "还在")
		if w.Code != http.StatusSeeOther {
			t.Fatalf("%d: %.2000s", w.Code, w.Body)
		}
		events, err = r.cases.Events(t.Context(), c.ID)
		if err != nil || len(events) != 5 {
			t.Fatal(err)
		}
		theirs := at + "/files/" + events[4].Body.Attachments[0]
		r.page("water", at, "-我家.jpg", "-"+theirs)
		for who, status := range map[string]int{"water": 404, "clerk": 200, "citizen": 200} {
			if w := r.ask(who, http.MethodGet, theirs+"?size=original"); w.Code != status {
				t.Errorf("the reporter's original by %s: %d, want %d", who, w.Code, status)
			}
		}

		var api apiCaseEvents
		w = r.ask("clerk", http.MethodGet, "/api/v1/cases/"+c.ID+"/events")
		if err := json.Unmarshal(w.Body.Bytes(), &api); err != nil || len(api.Events[3].Files) != 2 {
			t.Fatalf("%s, %v", w.Body, err)
		}
		if f := api.Events[3].Files[0]; f.Name != "河.jpg" || f.MIME != "image/jpeg" || f.Width != 40 || f.Size != int64(len(photo(t, 40))) {
			t.Errorf("%+v", f)
		}
		w = r.ask("water", http.MethodGet, "/api/v1/cases/"+c.ID+"/events")
		if err := json.Unmarshal(w.Body.Bytes(), &api); err != nil || strings.Contains(w.Body.String(), "我家") || strings.Contains(w.Body.String(), events[4].Body.Attachments[0]) {
			t.Errorf("the unit reads of the reporter's file: %s, %v", w.Body, err)
		}
	})
}
