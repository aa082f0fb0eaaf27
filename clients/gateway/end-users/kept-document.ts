/** How a document of somebody else is kept. */
export interface KeptDocumentOptions<T> {
  /** Fetches it. */
  readonly load: () => Promise<T>;
  /** Milliseconds for which it is taken as it is. */
  readonly freshMs: number;
  /** Milliseconds for which the last one does, while no newer one can be had. */
  readonly keptMs: number;
  /** Milliseconds between two attempts to fetch it at least. */
  readonly pauseMs: number;
  /** Milliseconds that who could do with the last one waits for a newer one. */
  readonly patienceMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * A document that is fetched when it is needed, at most so often, and that outlives failures of whoever
 * publishes it.
 */
export class KeptDocument<T> {
  readonly #options: KeptDocumentOptions<T>;
  #held: { readonly document: T; readonly atMs: number } | undefined;
  #attemptedAtMs = Number.NEGATIVE_INFINITY;
  #failure: unknown;
  #loading: Promise<T> | undefined;
  /** Who could do with the last one waited for this loading long enough. */
  #isSlow = false;

  constructor(options: KeptDocumentOptions<T>) {
    this.#options = options;
  }

  /** The document, as fresh as it can be had. @throws what `load` threw, when there is none */
  async get(): Promise<T> {
    const { now, freshMs, keptMs } = this.#options;
    const held = this.#held;
    if (held && now() - held.atMs < freshMs) return held.document;
    if (!held || now() - held.atMs >= keptMs) return this.#load();
    try {
      return (await this.#soon(this.#load())) ?? held.document;
    } catch {
      return held.document;
    }
  }

  /** What is being loaded, if it comes soon: whoever publishes it may take each request without a word. */
  async #soon(loading: Promise<T>): Promise<T | undefined> {
    if (this.#isSlow) {
      loading.catch(() => undefined);
      return undefined;
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        this.#isSlow = this.#loading !== undefined;
        resolve(undefined);
      }, this.#options.patienceMs);
    });
    return Promise.race([loading, late]).finally(() => clearTimeout(timer));
  }

  /**
   * A newer one than the held one, for who misses something in it; undefined when it was fetched just
   * now or cannot be had.
   * @param pauseMs less than the usual pause, for who cannot be made to ask often
   */
  async renewed(pauseMs = this.#options.pauseMs): Promise<T | undefined> {
    const held = this.#held;
    try {
      const document = await this.#load(pauseMs);
      return document === held?.document ? undefined : document;
    } catch {
      return undefined;
    }
  }

  #load(pauseMs = this.#options.pauseMs): Promise<T> {
    if (this.#loading) return this.#loading;
    const { now, load } = this.#options;
    if (now() - this.#attemptedAtMs < pauseMs) {
      if (this.#failure !== undefined) return Promise.reject(this.#failure);
      if (this.#held) return Promise.resolve(this.#held.document);
    }
    this.#attemptedAtMs = now();
    this.#loading = load()
      .then(
        (document) => {
          this.#failure = undefined;
          this.#held = { document, atMs: now() };
          return document;
        },
        (error) => {
          this.#failure = error;
          // One that took its time is not asked again at once either.
          this.#attemptedAtMs = now();
          throw error;
        },
      )
      .finally(() => {
        this.#loading = undefined;
        this.#isSlow = false;
      });
    return this.#loading;
  }
}
