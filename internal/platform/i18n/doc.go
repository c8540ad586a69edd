// Package i18n holds what people read: catalogues in Chinese (zh), Tibetan
// (bo) and English (en), and the way dates, numbers and durations are written
// in each.
//
// It owns the catalogue files under locales/LANG/*.toml (all files of a
// language are merged, so every module adds its own file), the choice of a
// language from a cookie or Accept-Language, and exact rounding for display.
//
// A message is a whole sentence with named holes: "{n} of {all} sources
// answered". Sentences are never joined from parts, because word order differs.
// A message may have a second form under KEY_one; it is taken when the hole
// "n" is 1 (English needs it, Chinese and Tibetan do not).
//
// It refuses a catalogue file with an unreadable line or a key given twice in
// one language. A key that a language lacks is answered in Chinese, and the
// caller is told so, so that the page can mark the words with their language;
// the tests fail on it.
//
// Every Tibetan text is a draft until a translator has read it; the pages say so.
//
// Dates follow CLDR for bo, with Latin digits and the wide month names, because
// the abbreviated ones carry Tibetan digits. One clock: Asia/Shanghai, 24 hours.
package i18n
