/** A message as server-sent events have it; `data` is JSON text, which never holds a line break. */
export const frame = (event: string, data: string, id?: number): string =>
  id === undefined ? `event: ${event}\ndata: ${data}\n\n` : `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`;
