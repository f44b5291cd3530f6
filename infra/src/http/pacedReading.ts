import type { Socket } from 'node:net';
import type { LoopTurns } from './loopTurns.ts';

/**
 * What arrives on a connection, given to Node's parser in small pieces: the parser makes requests of all that it is given, and
 * one read of 64 KB holds hundreds of them. What is not parsed yet stays bytes, and while there is any the connection is
 * not read.
 */
export type PacedReading = {
  /** The connection becomes something else, to which belongs what was not parsed. */
  giveBack(): void;
};

/** A request with its token and what browsers add, so that who sends one at a time waits for one turn only. */
const PIECE_BYTES = 2_048;

export function pacedReading(
  socket: Socket,
  { turns, isHeld, isIdle }: { turns: LoopTurns; isHeld(): boolean; isIdle(): boolean },
): PacedReading {
  const parse = parserOf(socket);
  const unparsed: Buffer[] = [];
  let isDue = false;

  const isOver = () => socket.destroyed || socket.writableEnded;
  const parsePiece = () => {
    isDue = false;
    if (isOver()) unparsed.length = 0;
    else if (isHeld() || isFull(socket)) return;
    // From here on only the parser has a reason to pause it: a body that is not taken.
    if (socket.isPaused()) socket.resume();
    const piece = nextPiece(unparsed);
    if (piece) parse(piece);
    if (unparsed.length > 0 && !socket.isPaused()) goOn(turns.later);
  };
  const goOn = (when: LoopTurns['soon']) => {
    isDue = true;
    when(parsePiece);
    if (isDue) socket.pause();
  };
  const arrived = (chunk: Buffer) => {
    // The reply that closes it is on its way: who still sends is not listened to.
    if (isOver()) return;
    unparsed.push(chunk);
    if (isDue) return;
    if (isHeld() || isFull(socket)) socket.pause();
    else goOn(isIdle() ? turns.soon : turns.later);
  };
  // Node resumes reading after every message; what waits keeps it paused all the same.
  const resumed = () => {
    if (socket.isPaused()) return;
    if (isDue || isHeld() || isFull(socket)) socket.pause();
    else if (unparsed.length > 0) goOn(turns.later);
  };
  socket.on('data', arrived);
  socket.on('resume', resumed);
  socket.once('close', () => {
    unparsed.length = 0;
  });

  return {
    giveBack() {
      socket.off('data', arrived);
      socket.off('resume', resumed);
      socket.pause();
      for (const chunk of unparsed.splice(0).reverse()) socket.unshift(chunk);
    },
  };
}

/** Node gives what arrives to its parser by a listener of its own. */
function parserOf(socket: Socket): (chunk: Buffer) => void {
  const [listener, ...others] = socket.listeners('data');
  if (!listener || others.length > 0) throw new Error('a connection has one parser');
  socket.off('data', listener as () => void);
  const parse = listener as (chunk: Buffer) => void;
  return (chunk) => parse.call(socket, chunk);
}

/**
 * Its client does not take the replies, and Node has stopped reading for that: the parser must be given nothing then. Only the
 * field tells, because Node counts replies whose turn has not come.
 */
const isFull = (socket: Socket & { _paused?: boolean }): boolean => socket._paused === true;

function nextPiece(chunks: Buffer[]): Buffer | undefined {
  const [first] = chunks;
  if (!first || first.length <= PIECE_BYTES) return chunks.shift();
  chunks[0] = first.subarray(PIECE_BYTES);
  return first.subarray(0, PIECE_BYTES);
}
