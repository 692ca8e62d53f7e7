/** The parts of the chart library that are used; loaded when the first chart is shown. */
import { BarChart, HeatmapChart, LineChart } from 'echarts/charts';
import {
	BrushComponent,
	CalendarComponent,
	GridComponent,
	LegendScrollComponent,
	TooltipComponent,
	VisualMapContinuousComponent
} from 'echarts/components';
import { init, use } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';

use([
	BarChart,
	BrushComponent,
	CalendarComponent,
	CanvasRenderer,
	GridComponent,
	HeatmapChart,
	LegendScrollComponent,
	LineChart,
	TooltipComponent,
	VisualMapContinuousComponent
]);

export { init };
