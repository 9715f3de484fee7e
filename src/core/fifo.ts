/** From this many free places in front on, the array is moved together. */
const worthMoving = 1_024

/** A first-in, first-out queue without a limit of its own. Each call is constant time on average. */
export class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  peek(): T | undefined {
    return this.#items[this.#head]
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head] = undefined
    this.#head += 1
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head >= worthMoving && this.#head * 2 >= this.#items.length) {
      this.#items.copyWithin(0, this.#head)
      this.#items.length -= this.#head
      this.#head = 0
    }
    return item
  }
}
