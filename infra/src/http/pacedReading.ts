import type { Socket } from 'node:net';
import type { LoopTurns } from './loopTurns.ts';

/**
 * Gives what arrives on a connection to Node's parser in small pieces. The parser makes requests of everything at once, and one
 * read of 64 KB may hold hundreds of them. Bytes that are not parsed yet wait, and while some wait the connection is not
 * read.
 */
export type PacedReading = {
  /** Stops, and gives the bytes that are not parsed back to the socket, for another protocol. */
  giveBack(): void;
};

/** One request with its token and what browsers add, so that a client that sends one at a time waits for one turn only. */
const PIECE_BYTES = 2_048;

export function pacedReading(
  socket: Socket,
  { turns, isBlocked, isIdle }: { turns: LoopTurns; isBlocked(): boolean; isIdle(): boolean },
): PacedReading {
  const parse = parserOf(socket);
  const unparsed: Buffer[] = [];
  let isParsingDue = false;

  const isClosing = () => socket.destroyed || socket.writableEnded;
  const parsePiece = () => {
    isParsingDue = false;
    if (isClosing()) unparsed.length = 0;
    else if (isBlocked() || isPausedByNode(socket)) return;
    // From here on only the parser may pause it, for a body that the application does not read.
    if (socket.isPaused()) socket.resume();
    const piece = nextPiece(unparsed);
    if (piece) parse(piece);
    if (unparsed.length > 0 && !socket.isPaused()) scheduleParsing(turns.later);
  };
  const scheduleParsing = (schedule: LoopTurns['soon']) => {
    isParsingDue = true;
    schedule(parsePiece);
    if (isParsingDue) socket.pause();
  };
  const onData = (chunk: Buffer) => {
    // The last reply is on its way, so anything that still arrives is ignored.
    if (isClosing()) return;
    unparsed.push(chunk);
    if (isParsingDue) return;
    if (isBlocked() || isPausedByNode(socket)) socket.pause();
    else scheduleParsing(isIdle() ? turns.soon : turns.later);
  };
  // Node resumes reading after every message. Waiting bytes must keep the socket paused all the same.
  const onResume = () => {
    if (socket.isPaused()) return;
    if (isParsingDue || isBlocked() || isPausedByNode(socket)) socket.pause();
    else if (unparsed.length > 0) scheduleParsing(turns.later);
  };
  socket.on('data', onData);
  socket.on('resume', onResume);
  socket.once('close', () => {
    unparsed.length = 0;
  });

  return {
    giveBack() {
      socket.off('data', onData);
      socket.off('resume', onResume);
      socket.pause();
      for (const chunk of unparsed.splice(0).reverse()) socket.unshift(chunk);
    },
  };
}

/** Takes Node's listener, by which it gives what arrives to its parser, off the socket. */
function parserOf(socket: Socket): (chunk: Buffer) => void {
  const [listener, ...others] = socket.listeners('data');
  if (!listener || others.length > 0) throw new Error('a connection has one parser');
  socket.off('data', listener as () => void);
  const parse = listener as (chunk: Buffer) => void;
  return (chunk) => parse.call(socket, chunk);
}

/**
 * Whether Node has stopped reading because the client does not receive its replies; then the parser must get nothing. Only this
 * inner field shows it, because Node also counts replies whose turn has not come.
 */
const isPausedByNode = (socket: Socket & { _paused?: boolean }): boolean => socket._paused === true;

function nextPiece(chunks: Buffer[]): Buffer | undefined {
  const [first] = chunks;
  if (!first || first.length <= PIECE_BYTES) return chunks.shift();
  chunks[0] = first.subarray(PIECE_BYTES);
  return first.subarray(0, PIECE_BYTES);
}
