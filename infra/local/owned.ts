/** Hears of an error that nobody else will. It must not throw. */
type Report = (error: unknown) => void;

/**
 * Runs work that nobody waits for, and tells `report` what it failed by: a rejection that nobody watches would end the
 * process. Never rejects; resolves when the work has ended.
 */
export async function owned(work: () => unknown, report: Report): Promise<void> {
  try {
    await work();
  } catch (error) {
    report(error);
  }
}
