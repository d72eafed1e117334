import { type KeyboardEvent, type PointerEvent, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Model } from "@/api/client";
import { span } from "@/lib/format";
import { type Shot, shotRule } from "@/pages/create/draft";

const SHADES = ["bg-accent/85", "bg-info/70", "bg-good/70", "bg-warn/75"];

type Props = { shots: Shot[]; model: Model; onChange: (shots: Shot[]) => void };

/** The shots in proportion. A cut is dragged, or moved by the arrow keys: one shot gains what its neighbour loses. */
export const ShotTimeline = ({ shots, model, onChange }: Props) => {
  const { t } = useTranslation();
  const track = useRef<HTMLDivElement>(null);
  const total = shots.reduce((sum, shot) => sum + shot.frames, 0);

  /** Move the cut after shot `index` by `steps` of the model's frame steps, as far as both shots allow. */
  const moveCut = (index: number, steps: number) => {
    const [before, after] = [shots[index], shots[index + 1]];
    if (!before || !after || steps === 0) return;
    const [ruleBefore, ruleAfter] = [shotRule(model, index), shotRule(model, index + 1)];
    const wanted = steps * ruleBefore.step;
    const most = Math.min(ruleBefore.max - before.frames, after.frames - ruleAfter.min);
    const least = Math.max(ruleBefore.min - before.frames, after.frames - ruleAfter.max);
    const by = Math.min(most, Math.max(least, wanted));
    onChange(
      shots.map((shot, at) =>
        at === index ? { ...shot, frames: shot.frames + by } : at === index + 1 ? { ...shot, frames: shot.frames - by } : shot,
      ),
    );
  };

  const drag = (index: number) => (event: PointerEvent<HTMLDivElement>) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId) || !track.current) return;
    const box = track.current.getBoundingClientRect();
    const start = shots.slice(0, index + 1).reduce((sum, shot) => sum + shot.frames, 0);
    const wanted = ((event.clientX - box.left) / box.width) * total;
    moveCut(index, Math.round((wanted - start) / model.frames.step));
  };

  const press = (index: number) => (event: KeyboardEvent) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageDown: -4, PageUp: 4 }[event.key];
    if (steps === undefined) return;
    event.preventDefault();
    moveCut(index, steps);
  };

  let from = 0;
  return (
    <div>
      <div className="mb-1.5 flex justify-between text-xs text-quiet">
        <span>{t("create.shots.timeline")}</span>
        <span className="numbers">{t("create.shots.total", { frames: total, time: span(total / model.fps) })}</span>
      </div>
      <div ref={track} className="flex h-12 overflow-hidden rounded-xl">
        {shots.map((shot, index) => {
          const start = from / model.fps;
          from += shot.frames;
          const last = index === shots.length - 1;
          return (
            <div key={shot.id} className="relative min-w-3" style={{ flexGrow: shot.frames, flexBasis: 0 }}>
              <div
                className={`absolute inset-0 ${last ? "" : "right-px"} grid content-center overflow-hidden px-2.5 ${SHADES[index % SHADES.length]}`}
              >
                <span className="truncate text-xs font-semibold text-surface">{index + 1}</span>
                <span className="numbers truncate text-[0.7rem] text-surface">{span(shot.frames / model.fps)}</span>
              </div>
              {!last && (
                <div
                  role="slider"
                  tabIndex={0}
                  aria-label={t("create.shots.cutAfter", { n: index + 1 })}
                  aria-valuenow={Math.round(10 * (start + shot.frames / model.fps)) / 10}
                  aria-valuemin={0}
                  aria-valuemax={Math.round((10 * total) / model.fps) / 10}
                  onKeyDown={press(index)}
                  onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
                  onPointerMove={drag(index)}
                  className="absolute inset-y-0 -right-2 z-10 w-4 cursor-ew-resize touch-none after:absolute after:inset-y-2 after:left-[0.42rem] after:w-1 after:rounded-full after:bg-surface"
                />
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
};
