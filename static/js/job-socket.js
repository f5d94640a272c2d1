// Keeps one job up to date: through a socket, or by polling every few seconds without one.
//
// `last` is the last sequence number that this page has seen. Events up to it are ignored. A gap after it means that
// events were missed, so the page asks for everything after `last`.

const DEAD_LINE_MS = 60_000;
const POLL_MS = 3_000;
const LONGEST_PAUSE_MS = 15_000;
const OPENING_MS = 8_000;
/** A poll that takes longer is given up. */
const LONGEST_POLL_MS = 10_000;
/** The server’s code for: you have too many sockets open. Another tab needs to close first. */
const TOO_MANY = 4429;
const CROWDED_PAUSE_MS = 60_000;

export class JobSocket {
  /**
   * @param job    the job as the page got it (`id`, `state`, `last_sequence`, ...)
   * @param after  the last sequence that the page has shown
   * @param listeners  onJob(job), onEvent(event), onUpdate() after a whole message, and onLine(line): "up",
   *   "down" while polls take the place of the socket, "unreached" while they fail too, or "gone"
   */
  constructor(job, after, listeners) {
    this.job = job;
    this.last = after;
    this.listeners = listeners;
    this.line = "up";
    this.failures = 0;
    this.closed = false;
    this.isPolling = false;
    this.listening = new AbortController();
    const { signal } = this.listening;
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#wake(), { signal });
    window.addEventListener("online", () => this.#wake(), { signal });
    window.addEventListener("pageshow", (event) => event.persisted && this.#wake(), { signal });
    window.addEventListener("pagehide", () => this.#drop(), { signal });
    this.#connect();
  }

  /** Stop listening. */
  close() {
    this.closed = true;
    this.listening.abort();
    this.#drop();
    clearTimeout(this.retry);
    clearInterval(this.polling);
  }

  /** Take a job that a request of this page returned. */
  takeJob(job) {
    this.#take({ job, events: [] });
  }

  #connect() {
    if (this.closed) return;
    clearTimeout(this.retry);
    this.#drop();
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/jobs/${this.job.id}/?after=${this.last}`);
    this.socket = socket;
    this.#watch(OPENING_MS);
    socket.addEventListener("message", (message) => {
      if (socket !== this.socket) return;
      this.failures = 0;
      this.#watch(DEAD_LINE_MS);
      this.#isUp();
      this.#take(JSON.parse(message.data));
    });
    socket.addEventListener("close", ({ code }) => {
      if (socket === this.socket) this.#lost(code === TOO_MANY);
    });
  }

  #drop() {
    clearTimeout(this.watchdog);
    const socket = this.socket;
    this.socket = null;
    if (socket) socket.close();
  }

  #watch(patience) {
    clearTimeout(this.watchdog);
    this.heard = Date.now();
    this.watchdog = setTimeout(() => this.#lost(), patience);
  }

  #lost(isCrowded = false) {
    this.#drop();
    if (this.closed) return;
    const pause = isCrowded ? CROWDED_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, 500 * 2 ** this.failures) * (0.75 + Math.random() / 2);
    this.failures += 1;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.#connect(), pause);
    if (!this.polling) this.polling = setInterval(() => this.#poll(), POLL_MS);
    // A single lost connection is not worth a note.
    if ((this.failures > 1 || isCrowded) && this.line === "up") this.#say("down");
  }

  #isUp() {
    clearInterval(this.polling);
    this.polling = null;
    this.#say("up");
  }

  #wake() {
    if (this.closed) return;
    const isOpen = this.socket && this.socket.readyState <= WebSocket.OPEN;
    if (isOpen && Date.now() - this.heard < DEAD_LINE_MS / 2) return;
    this.failures = 0;
    this.#connect();
    this.#poll();
  }

  async #poll() {
    if (this.isPolling) return;
    this.isPolling = true;
    let isAnswered = false;
    try {
      const answer = await fetch(`/jobs/${this.job.id}/events?after=${this.last}`, {
        headers: { Accept: "application/json" },
        cache: "no-store",
        signal: AbortSignal.timeout(LONGEST_POLL_MS),
      });
      const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
      if (answer.status === 404 || answer.status === 403 || (answer.ok && !isJson)) {
        // Deleted, or the session has ended.
        this.close();
        this.#say("gone");
      } else if (answer.ok) {
        const answered = await answer.json();
        isAnswered = true;
        this.#take(answered);
      }
    } catch {
      // No network, or a server that hangs: the next poll or the browser's "online" event tries again.
    } finally {
      this.isPolling = false;
      if (!this.closed) this.#sayIfReached(isAnswered);
    }
  }

  /** Say whether polls are answered, while they take the place of the socket. */
  #sayIfReached(isAnswered) {
    if (this.line === (isAnswered ? "unreached" : "down")) this.#say(isAnswered ? "down" : "unreached");
  }

  #say(line) {
    if (line === this.line) return;
    this.line = line;
    this.listeners.onLine?.(line);
  }

  #take({ job, events }) {
    let missed = false;
    for (const event of [...events].sort((a, b) => a.sequence - b.sequence)) {
      if (event.sequence <= this.last) continue;
      if (event.sequence > this.last + 1) {
        missed = true;
        break;
      }
      this.last = event.sequence;
      this.listeners.onEvent?.(event);
    }
    // Messages may arrive out of order; the job never goes back.
    if (job.last_sequence >= this.job.last_sequence) {
      this.job = job;
      this.listeners.onJob?.(job);
    }
    this.listeners.onUpdate?.();
    if (missed || this.job.last_sequence > this.last) this.#catchUp();
  }

  #catchUp() {
    const now = Date.now();
    if (this.asked && this.asked.after === this.last && now - this.asked.at < 1_000) return;
    this.asked = { after: this.last, at: now };
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ after: this.last }));
    else this.#poll();
  }
}
