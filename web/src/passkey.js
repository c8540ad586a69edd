// Forms marked data-passkey hand their question to the browser's passkeys and
// send what the device answers. No text lives here: the page holds the sentences.

const bytes = (s) => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function ask(kind, options) {
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const c of [...(options.excludeCredentials || []), ...(options.allowCredentials || [])]) c.id = bytes(c.id);
  const made = await navigator.credentials[kind]({ publicKey: options });
  const response = {};
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[part]) response[part] = text(made.response[part]);
  }
  if (made.response.getTransports) response.transports = made.response.getTransports();
  return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: made.getClientExtensionResults() });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const say = (fault) => { for (const p of form.querySelectorAll("[data-fault]")) p.hidden = p.dataset.fault !== fault; };
  let asked = false;
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    if (asked) return;
    if (location.origin !== form.dataset.origin) { say("origin"); return; }
    if (!window.PublicKeyCredential) { say("none"); return; }
    asked = true;
    say("");
    try {
      form.elements.answer.value = await ask(form.dataset.passkey, JSON.parse(form.dataset.options));
      form.submit();
    } catch (fault) {
      asked = false;
      say(fault.name === "InvalidStateError" ? "known" : "refused");
    }
  });
}
