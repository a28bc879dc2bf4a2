/** What LevelDB has written is not what is there. */
export class DamageError extends Error {
  override readonly name = 'DamageError';
}
