import type { ServerResponse } from 'node:http';

/** Headers of everything an end user's browser gets from here: no page, nothing to run or to keep. */
export const browserHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

/** A page of a few words; links go to paths of this gateway. */
export function answerPage(
  response: ServerResponse,
  title: string,
  links: readonly { readonly href: string; readonly text: string }[] = [],
): void {
  const list = links.map(({ href, text }) => `<li><a href="${html(href)}">${html(text)}</a></li>`);
  const body =
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${html(title)}</title>` +
    `<h1>${html(title)}</h1>${list.length > 0 ? `<ul>${list.join('')}</ul>` : ''}</html>`;
  response.writeHead(200, {
    ...browserHeaders,
    // Links of a sandboxed page do work; scripts, forms and frames do not.
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'content-type': 'text/html; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** Sends the browser somewhere else, by GET. */
export function answerRedirect(
  response: ServerResponse,
  location: string,
  cookies: readonly string[] = [],
): void {
  response.writeHead(303, {
    ...browserHeaders,
    location,
    'content-length': 0,
    ...(cookies.length > 0 && { 'set-cookie': [...cookies] }),
  });
  response.end();
}

/** Answers JSON. */
export function answerJson(
  response: ServerResponse,
  value: unknown,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): void {
  const body = JSON.stringify(value);
  response.writeHead(200, {
    ...browserHeaders,
    ...(headers as Record<string, string | string[]>),
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

const html = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
