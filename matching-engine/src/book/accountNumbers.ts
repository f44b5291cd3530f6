/**
 * Accounts that have orders in a book, by a small number each: an account's id is kept once, however many orders it
 * has. One whose last order has gone is remembered while there are few, because it often comes back.
 */
export class AccountNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #orders: number[] = [];
  readonly #free: number[] = [];

  name(number: number): string {
    return this.#names[number] as string;
  }

  /** All names by number; numbers that nobody has are empty. */
  names(): string[] {
    return this.#names.slice();
  }

  /** Its number, for one order more. */
  take(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return this.takeAgain(known);
    const number = this.#free.pop() ?? this.#names.length;
    this.#numbers.set(name, number);
    this.#names[number] = name;
    this.#orders[number] = 1;
    return number;
  }

  /** The same, of one that has orders. */
  takeAgain(number: number): number {
    this.#orders[number] = (this.#orders[number] as number) + 1;
    return number;
  }

  /** One order less. */
  give(number: number): void {
    const left = (this.#orders[number] as number) - 1;
    this.#orders[number] = left;
    if (left > 0 || this.#numbers.size <= REMEMBERED_MAX) return;
    this.#numbers.delete(this.name(number));
    this.#names[number] = '';
    this.#free.push(number);
  }
}

/** Half a megabyte with their names. */
const REMEMBERED_MAX = 4_096;
