/** Asked wherever something may go wrong on a bus. */
export interface BusFaults {
  /** The copies of an event that one of its targets gets: how many milliseconds late each of them is. */
  copies?(busName: string, detailType: string): readonly number[] | undefined;
  /** How many milliseconds after it has done its work a PutEvents is answered. */
  answerMs?(): number | undefined;
}
